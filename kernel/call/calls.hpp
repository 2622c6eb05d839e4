// The handlers of the native calls. Arguments are decoded and checked before a handler runs; what it returns goes to rdx, its error to rax.
#pragma once
#include "kernel/thread/lookup.hpp"
#include "kernel/thread/user_pointer.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/ipc/port.hpp"
#include "kernel/audit/audit.hpp"
#include "kernel/audit/audit_log.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/device/device.hpp"
#include "kernel/device/irq.hpp"
#include "kernel/space/memory.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

#include "kernel/handlers.inc"

// For the audit log: the caller did this, and it is done. Without locks; may wait.
void record(Thread& caller, abi::AuditOperation operation, const Object& object, abi::Rights rights = 0, std::uint64_t other = 0, std::uint64_t word = 0, const LeaseHold& hold = {});

} // namespace kernel
