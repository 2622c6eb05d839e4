// What kernel/call/ipc.cpp implements.
#pragma once
#include "kernel/ipc/endpoint.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/ipc/port.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/thread/lookup.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/user_pointer.hpp"

namespace kernel {

base::Result<void> ipc_call(Thread& caller);
base::Result<void> ipc_receive(Thread& caller);
base::Result<void> ipc_reply(Thread& caller);
base::Result<void> ipc_reply_receive(Thread& caller);

void record_use_of_foreign(Thread& caller, abi::KernelCall call, const Object& object);

} // namespace kernel
