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

base::Result<std::uint64_t> call_handle_close(Thread& caller, abi::Handle handle);
base::Result<std::uint64_t> call_handle_duplicate(Thread& caller, Held<Object> source, abi::Rights rights, std::uint64_t badge,
    Held<Lease> lease);
base::Result<std::uint64_t> call_handle_inspect(Thread& caller, abi::Handle handle, UserPointer<abi::HandleInfo> info);
base::Result<std::uint64_t> call_lease_create(Thread& caller, Held<Quota> quota, Held<Lease> parent);
base::Result<std::uint64_t> call_lease_revoke(Thread& caller, Held<Lease> lease);
base::Result<std::uint64_t> call_quota_create(Thread& caller, Held<Quota> parent, std::uint64_t pages);
base::Result<std::uint64_t> call_quota_inspect(Thread& caller, Held<Quota> quota, UserPointer<abi::QuotaInfo> info);
base::Result<std::uint64_t> call_quota_destroy(Thread& caller, Held<Quota> quota);
base::Result<std::uint64_t> call_budget_create(Thread& caller, Held<Quota> quota, Held<Budget> parent,
    UserPointer<abi::BudgetParameters> parameters);
base::Result<std::uint64_t> call_budget_configure(Thread& caller, Held<Budget> budget, UserPointer<abi::BudgetParameters> parameters);
base::Result<std::uint64_t> call_process_create(Thread& caller, Held<Quota> quota, Held<Budget> budget);
base::Result<std::uint64_t> call_process_space(Thread& caller, Held<Process> process);
base::Result<std::uint64_t> call_process_grant(Thread& caller, Held<Process> process, Held<Object> source, abi::Rights rights,
    Held<Lease> lease);
base::Result<std::uint64_t> call_process_kill(Thread& caller, Held<Process> process, std::uint64_t status);
base::Result<std::uint64_t> call_process_inspect(Thread& caller, Held<Process> process, UserPointer<abi::ProcessInfo> info);
base::Result<std::uint64_t> call_process_watch(Thread& caller, Held<Process> process, Held<Notification> notification, std::uint64_t bits);
base::Result<std::uint64_t> call_process_exit(Thread& caller, std::uint64_t status);
base::Result<std::uint64_t> call_process_set_fixup(Thread& caller, std::uint64_t begin, std::uint64_t end, std::uint64_t landing);
base::Result<std::uint64_t> call_thread_create(Thread& caller, Held<Process> process, Held<Budget> budget);
base::Result<std::uint64_t> call_thread_start(Thread& caller, Held<Thread> thread, std::uint64_t entry, std::uint64_t stack,
    std::uint64_t argument);
base::Result<std::uint64_t> call_thread_control(Thread& caller, Held<Thread> thread, std::uint32_t operation);
base::Result<std::uint64_t> call_thread_kick(Thread& caller, Held<Thread> thread);
base::Result<std::uint64_t> call_thread_inspect(Thread& caller, Held<Thread> thread, UserPointer<abi::ThreadInfo> info);
base::Result<std::uint64_t> call_thread_exit(Thread& caller);
base::Result<std::uint64_t> call_thread_yield(Thread& caller);
base::Result<std::uint64_t> call_memory_create(Thread& caller, Held<Quota> quota, std::uint64_t size, std::uint32_t flags);
base::Result<std::uint64_t> call_memory_slice(Thread& caller, Held<Quota> quota, Held<Memory> memory, std::uint64_t offset,
    std::uint64_t size);
base::Result<std::uint64_t> call_memory_seal(Thread& caller, Held<Memory> memory);
base::Result<std::uint64_t> call_memory_inspect(Thread& caller, Held<Memory> memory, UserPointer<abi::MemoryInfo> info);
base::Result<std::uint64_t> call_memory_read(Thread& caller, Held<Memory> memory, std::uint64_t offset, UserBytes buffer);
base::Result<std::uint64_t> call_memory_write(Thread& caller, Held<Memory> memory, std::uint64_t offset, UserBytes buffer);
base::Result<std::uint64_t> call_memory_resize(Thread& caller, Held<Memory> memory, std::uint64_t size);
base::Result<std::uint64_t> call_space_create(Thread& caller, Held<Quota> quota, std::uint32_t flags);
base::Result<std::uint64_t> call_space_fork(Thread& caller, Held<Space> space, Held<Quota> quota);
base::Result<std::uint64_t> call_space_map(Thread& caller, Held<Space> space, Held<Memory> memory, std::uint64_t address,
    std::uint64_t offset, std::uint64_t length, std::uint32_t flags);
base::Result<std::uint64_t> call_space_unmap(Thread& caller, Held<Space> space, std::uint64_t address, std::uint64_t length);
base::Result<std::uint64_t> call_space_protect(Thread& caller, Held<Space> space, std::uint64_t address, std::uint64_t length,
    std::uint32_t protection);
base::Result<std::uint64_t> call_space_move(Thread& caller, Held<Space> space, std::uint64_t from, std::uint64_t to, std::uint64_t length);
base::Result<std::uint64_t> call_restricted_attach(Thread& caller, Held<Space> space);
base::Result<std::uint64_t> call_restricted_enter(Thread& caller, std::uint32_t flags);
base::Result<std::uint64_t> call_vector_state(Thread& caller, std::uint32_t operation, UserBytes buffer);
base::Result<std::uint64_t> call_futex_wait(Thread& caller, std::uint64_t address, std::uint32_t expected, abi::Deadline deadline,
    std::uint32_t flags);
base::Result<std::uint64_t> call_futex_wake(Thread& caller, std::uint64_t address, std::uint32_t count, std::uint32_t flags,
    std::uint64_t requeue_to, std::uint32_t requeue_count);
base::Result<std::uint64_t> call_endpoint_create(Thread& caller, Held<Quota> quota);
base::Result<std::uint64_t> call_notification_create(Thread& caller, Held<Quota> quota);
base::Result<std::uint64_t> call_notification_signal(Thread& caller, Held<Notification> notification, std::uint64_t bits);
base::Result<std::uint64_t> call_notification_wait(Thread& caller, Held<Notification> notification, abi::Deadline deadline);
base::Result<std::uint64_t> call_port_create(Thread& caller, Held<Quota> quota);
base::Result<std::uint64_t> call_port_bind(Thread& caller, Held<Port> port, Held<Object> source, std::uint64_t key);
base::Result<std::uint64_t> call_port_wait(Thread& caller, Held<Port> port, UserBytes events, abi::Deadline deadline);
base::Result<std::uint64_t> call_irq_create(Thread& caller, Held<Irq> root, Held<Quota> quota, std::uint64_t source, std::uint32_t flags);
base::Result<std::uint64_t> call_irq_bind(Thread& caller, Held<Irq> irq, Held<Notification> notification, std::uint64_t bits);
base::Result<std::uint64_t> call_irq_acknowledge(Thread& caller, Held<Irq> irq);
base::Result<std::uint64_t> call_irq_inspect(Thread& caller, Held<Irq> irq, UserPointer<abi::IrqInfo> info);
base::Result<std::uint64_t> call_device_slice(Thread& caller, Held<Device> device, Held<Quota> quota, std::uint64_t base,
    std::uint64_t size);
base::Result<std::uint64_t> call_device_map(Thread& caller, Held<Device> device, std::uint64_t address, std::uint32_t protection);
base::Result<std::uint64_t> call_io_port_slice(Thread& caller, Held<IoPort> ports, Held<Quota> quota, std::uint32_t first,
    std::uint32_t count);
base::Result<std::uint64_t> call_io_port_read(Thread& caller, Held<IoPort> ports, std::uint32_t port, std::uint32_t width);
base::Result<std::uint64_t> call_io_port_write(Thread& caller, Held<IoPort> ports, std::uint32_t port, std::uint32_t width,
    std::uint32_t value);
base::Result<std::uint64_t> call_io_space_map(Thread& caller, Held<IoSpace> io_space, Held<Memory> memory);
base::Result<std::uint64_t> call_log_write(Thread& caller, Held<AuditLog> log, UserBytes text);
base::Result<std::uint64_t> call_log_read(Thread& caller, Held<AuditLog> log, std::uint64_t position, UserBytes buffer);

// The calls with registers of their own.
base::Result<void> ipc_call(Thread& caller);
base::Result<void> ipc_receive(Thread& caller);
base::Result<void> ipc_reply(Thread& caller);
base::Result<void> ipc_reply_receive(Thread& caller);

} // namespace kernel
