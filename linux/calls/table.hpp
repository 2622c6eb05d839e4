// Every Linux system call of x86_64: its handler and how much of it there is.
//
// The rows are in process_calls.inc (processes, memory, signals, time) and file_calls.inc (files, sockets, polling), one line a call:
//   FULL(number, name)                 handler sys_NAME, all that programs use
//   PARTIAL(number, name, "what is missing")
//   REFUSED(number, name)              EPERM: on Linux it needs a capability (man 7 capabilities) that no container has here
//   MISSING(number, name)              ENOSYS, counted
// A number stands in exactly one row; a unit test checks that all of 0..462 are there.
#pragma once
#include "abi/sandbox.hpp"
#include "linux/calls/call.hpp"

#include <array>

namespace personality {

enum class Support : std::uint8_t { unknown, missing, refused, partial, full };

struct CallEntry {
    const char* name = nullptr;
    CallHandler handler = nullptr; // null: ENOSYS
    const char* note = "";
    Support support = Support::unknown;
};

inline constexpr unsigned call_count = abi::sandbox::linux_calls;
extern const std::array<CallEntry, call_count> call_table;

// Handlers, one for each FULL and PARTIAL row.
#define FULL(number, name) LinuxResult<std::uint64_t> sys_##name(Task& task, const CallArguments& arguments);
#define PARTIAL(number, name, note) LinuxResult<std::uint64_t> sys_##name(Task& task, const CallArguments& arguments);
#define REFUSED(number, name)
#define MISSING(number, name)
#include "linux/calls/file_calls.inc"
#include "linux/calls/process_calls.inc"
#undef FULL
#undef PARTIAL
#undef REFUSED
#undef MISSING

} // namespace personality
