// The handlers of the native calls. Arguments are decoded and checked before a handler runs; what it returns goes to rdx, its error to rax.
#pragma once
#include "kernel/call/lookup.hpp"
#include "kernel/call/user_pointer.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/ipc/port.hpp"
#include "kernel/object/audit_log.hpp"
#include "kernel/object/budget.hpp"
#include "kernel/object/device.hpp"
#include "kernel/object/irq.hpp"
#include "kernel/object/memory.hpp"
#include "kernel/object/process.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/object/space.hpp"
#include "kernel/object/thread.hpp"

namespace kernel {

#include "kernel/handlers.inc"

} // namespace kernel
