// Calls on budgets, processes and threads.
#include "kernel/call/calls.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/restricted/restricted.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/thread/scheduler.hpp"

namespace kernel {

base::Result<std::uint64_t> call_budget_create(Thread& caller, Held<Quota> quota, Held<Budget> parent, UserPointer<abi::BudgetParameters> parameters) {
    const abi::BudgetParameters wanted = TRY(parameters.read(caller));
    if (!quota.valid() || !parent.valid()) return std::unexpected(abi::Error::revoked); // the copy may have slept
    return give(caller, TRY(Budget::create(*quota, std::move(parent.object), wanted)), Budget::rights, parent.hold);
}

base::Result<std::uint64_t> call_budget_configure(Thread& caller, Held<Budget> budget, UserPointer<abi::BudgetParameters> parameters) {
    const abi::BudgetParameters wanted = TRY(parameters.read(caller));
    if (!budget.valid()) return std::unexpected(abi::Error::revoked); // the copy may have slept
    TRY(budget->configure(wanted));
    record_use_of_foreign(caller, abi::KernelCall::budget_configure, *budget);
    return 0;
}

base::Result<std::uint64_t> call_process_create(Thread& caller, Held<Quota> quota, Held<Budget> budget) {
    // A server begins a sandbox; what comes out of one stays in it.
    const bool begins = caller_goes_first();
    TRY(caller.pay_for_record());
    auto process = TRY(Process::create(*quota, std::move(budget.object), begins ? nullptr : base::Ref<Process>(caller.process())));
    // First, for its end is recorded where this was, and whoever guesses the handle may end it as soon as there is one.
    record_made(caller, *process, Process::rights);
    // Its end waits for nobody.
    if (!caller_goes_first()) Audit::charge(caller.process().audit_account(), 1);
    process->note_recorded();
    if (!quota.valid() || !budget.valid()) return std::unexpected(abi::Error::revoked); // the record may have waited
    return give(caller, std::move(process), Process::rights);
}

base::Result<std::uint64_t> call_process_space(Thread& caller, Held<Process> process) {
    const auto handle = give(caller, TRY(process->space()), Space::rights, process.hold);
    if (handle) record_use(caller, abi::KernelCall::process_space, *process, *process);
    return handle;
}

base::Result<std::uint64_t> call_process_grant(Thread& caller, Held<Process> process, Held<Object> source, abi::Rights rights, Held<Lease> lease) {
    Capability granted;
    granted.rights = TRY(shrink_rights(source.rights, rights));
    granted.badge = source.badge;
    granted.hold = TRY(derive_hold(source.hold, lease.object));
    granted.object = std::move(source.object);
    TRY(caller.pay_for_record());
    const AuditEvent made = event_of(abi::AuditOperation::grant, caller.process().number(), granted, process->number());
    const abi::Handle handle = TRY(process->handles().insert(std::move(granted)));
    Audit::record(caller.process().audit_account(), made, caller.take_payment());
    return handle;
}

base::Result<std::uint64_t> call_process_kill(Thread& caller, Held<Process> process, std::uint64_t status) {
    TRY(caller.pay_for_record());
    if (process->end(abi::EndReason::kill, status)) record(caller, abi::AuditOperation::kill, *process);
    return 0;
}

base::Result<std::uint64_t> call_process_inspect(Thread& caller, Held<Process> process, UserPointer<abi::ProcessInfo> info) {
    abi::ProcessInfo result{};
    process->inspect(result);
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_process_watch(Thread& caller, Held<Process> process, Held<Notification> notification, std::uint64_t bits) {
    Notification& target = *notification;
    TRY(process->watch(caller.process().quota(), std::move(notification.object), target, bits | notification.badge, {process.hold, notification.hold}));
    record_use(caller, abi::KernelCall::process_watch, *process, *process);
    return 0;
}

base::Result<std::uint64_t> call_process_exit(Thread& caller, std::uint64_t status) {
    caller.process().end(abi::EndReason::exit, status);
    // The return to user mode ends this thread like the others.
    return 0;
}

base::Result<std::uint64_t> call_process_set_fixup(Thread& caller, std::uint64_t begin, std::uint64_t end, std::uint64_t landing) {
    const auto half = personality_half();
    if (end < begin || !half.contains(begin, end - begin) || !half.contains(landing, 1)) return std::unexpected(abi::Error::bad_pointer);
    caller.process().set_fixup({begin, end, landing});
    return 0;
}

base::Result<std::uint64_t> call_thread_create(Thread& caller, Held<Process> process, Held<Budget> budget) {
    auto thread = TRY(Thread::create(*process, std::move(budget.object)));
    base::Ref<Thread> keep = thread;
    // A place for its page was looked for in steps.
    auto handle = process.valid() && budget.valid() ? give(caller, std::move(thread), Thread::rights, process.hold) : std::unexpected(abi::Error::revoked);
    // Nobody could start or end it without the handle, and its process goes on without it.
    if (!handle) keep->discard();
    else record_use(caller, abi::KernelCall::thread_create, *keep, *process);
    return handle;
}

base::Result<std::uint64_t> call_thread_start(Thread& caller, Held<Thread> thread, std::uint64_t entry, std::uint64_t stack, std::uint64_t argument) {
    TRY(thread->start(entry, stack, argument));
    record_use(caller, abi::KernelCall::thread_start, *thread, thread->process());
    return 0;
}

base::Result<std::uint64_t> call_thread_control(Thread& caller, Held<Thread> thread, std::uint32_t operation) {
    static constexpr abi::Rights needed[] = {abi::right::stop, abi::right::suspend, abi::right::resume};
    if (operation < 1 || operation > 3) return std::unexpected(abi::Error::bad_argument);
    if (!(thread.rights & needed[operation - 1])) return std::unexpected(abi::Error::missing_right);
    if (thread->stopping()) return std::unexpected(abi::Error::bad_state);
    if (&thread->process() != &caller.process()) TRY(caller.pay_for_record());
    if (operation == 1) {
        if (thread->stop() && &thread->process() != &caller.process()) record(caller, abi::AuditOperation::kill, *thread);
        return 0;
    }
    if (operation == 2)
        thread->suspend();
    else
        thread->resume();
    record_use(caller, abi::KernelCall::thread_control, *thread, thread->process());
    return 0;
}

base::Result<std::uint64_t> call_thread_kick(Thread& caller, Held<Thread> thread) {
    thread->kick();
    record_use(caller, abi::KernelCall::thread_kick, *thread, thread->process());
    return 0;
}

base::Result<std::uint64_t> call_thread_inspect(Thread& caller, Held<Thread> thread, UserPointer<abi::ThreadInfo> info) {
    abi::ThreadInfo result{};
    thread->inspect(result);
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_thread_choose(Thread& caller, Held<Thread> thread, std::uint64_t cpus) {
    TRY(thread->choose(cpus));
    record_use(caller, abi::KernelCall::thread_choose, *thread, thread->process());
    return 0;
}

base::Result<std::uint64_t> call_thread_exit(Thread& caller) { caller.exit(); }

base::Result<std::uint64_t> call_thread_yield(Thread&) {
    sched::yield();
    return 0;
}

} // namespace kernel
