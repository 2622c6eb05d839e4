// What a program of the node tells the kernel's audit log (abi/audit.hpp) of an object.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "abi/audit.hpp"
#include "lib/native/kernel.hpp"

namespace native {

// The name of an object; what is longer than 32 bytes is cut. `log`: the kernel's log, with `send`. Waits where the log has no room. Errors: as audit_note; unknown_call, where the
// kernel has no audit log.
inline base::Result<void> note_name(abi::Handle log, abi::Handle object, std::string_view name) {
    abi::AuditNote note{};
    note.operation = abi::AuditOperation::name;
    std::memcpy(note.text, name.data(), name.size() < sizeof note.text ? name.size() : sizeof note.text);
    return call::audit_note(log, object, note);
}

// By which launch record a process is made: the record's SHA-256. The same.
inline base::Result<void> note_launch(abi::Handle log, abi::Handle process, std::span<const std::byte, 32> digest) {
    abi::AuditNote note{};
    note.operation = abi::AuditOperation::launch;
    static_assert(sizeof note.text == 32);
    std::memcpy(note.text, digest.data(), digest.size());
    return call::audit_note(log, process, note);
}

} // namespace native
