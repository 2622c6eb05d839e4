// AuditLog: the right to write to or read from the kernel's log, and to take the records of the audit log or to say in it what an object is.
#pragma once
#include "kernel/object/object.hpp"

namespace kernel {

class AuditLog final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::audit_log;
    static constexpr abi::Rights rights =
        abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::read | abi::right::write | abi::right::send |
                                          abi::right::receive;

    AuditLog() : Object(object_kind) {}
};

} // namespace kernel
