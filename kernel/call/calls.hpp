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

// The same of a call on what is another process', where that is of another sandbox.
void record_use(Thread& caller, abi::KernelCall call, const Object& object, Process& process);
void record_use_of_space(Thread& caller, abi::KernelCall call, const Space& space);
// Of what no process is known for: where another quota than the caller's pays for it.
void record_use_of_foreign(Thread& caller, abi::KernelCall call, const Object& object);
// Of the log, by a process that has not made this call before.
void record_first_read(Thread& caller, abi::KernelCall call, const Object& log);

} // namespace kernel
