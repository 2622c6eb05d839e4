#include "linux/signal/deliver.hpp"

#include "linux/core/lock.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/park.hpp"
#include "linux/task/table.hpp"
#include "linux/time/timers.hpp"

namespace personality {

namespace {

constexpr std::uint64_t call_restart = 219; // restart_syscall
constexpr std::uint64_t call_instruction = 2; // bytes of SYSCALL

void set_error(Task& task, Errno error) { task.registers().rax = static_cast<std::uint64_t>(-static_cast<std::int64_t>(error)); }

void repeat_call(Task& task, std::uint64_t number) {
    task.registers().rax = number;
    task.registers().rip -= call_instruction;
}

// An interrupted call, when a handler runs before the program goes on.
void settle_with_handler(Task& task, CallOutcome& outcome, const SignalAction& action) {
    if (!outcome.failed)
        return;
    outcome.failed = false;
    switch (outcome.error) {
    case Errno::ERESTARTNOHAND: case Errno::ERESTART_RESTARTBLOCK: set_error(task, Errno::EINTR); break;
    case Errno::ERESTARTSYS:
        if ((action.flags & action_flag::restart) == 0) {
            set_error(task, Errno::EINTR);
            break;
        }
        [[fallthrough]];
    case Errno::ERESTARTNOINTR: repeat_call(task, task.original_call); break;
    default: break;
    }
}

void settle_without_handler(Task& task, const CallOutcome& outcome) {
    if (!outcome.failed)
        return;
    switch (outcome.error) {
    case Errno::ERESTARTSYS: case Errno::ERESTARTNOINTR: case Errno::ERESTARTNOHAND: repeat_call(task, task.original_call); break;
    case Errno::ERESTART_RESTARTBLOCK: repeat_call(task, call_restart); break;
    default: break;
    }
}

// No process of the group has a parent in the session outside the group: nobody would continue it.
bool orphaned_group(Process& process) {
    for (Process& member : all_processes())
        if (member.group == process.group && member.parent != nullptr && member.parent->group != process.group && member.parent->session == process.session)
            return false;
    return true;
}

void stop_process(Process& process, int number) {
    process.stopped = true;
    process.stop_signal = number;
    process.stop_reported = false;
    process.continue_reported = true;
    for (Task& task : process.threads)
        interrupt_task(task);
    Process* parent = process.parent;
    if (parent == nullptr)
        return;
    parent->child_events.wake();
    if (!parent->actions || (parent->actions->of(signal_number::child).flags & action_flag::no_child_stop) != 0)
        return;
    SignalInfo info;
    info.number = signal_number::child;
    info.code = signal_code::cld_stopped;
    info.child.pid = process.pid;
    info.child.status = number;
    send_signal(*parent, info);
}

} // namespace

void deliver_signals(Task& task, CallOutcome outcome) {
    Process& process = task.process();
    SandboxLock lock;
    for (;;) {
        task.attention.store(false, std::memory_order_seq_cst);
        if (process.ending || task.exiting) {
            lock.unlock();
            exit_task(task);
        }
        SignalInfo info;
        const SignalSet deliverable = ~task.mask;
        if (process.stopped && ((task.pending.set() | process.pending.set()) & signal_bit(signal_number::kill)) == 0) {
            (void)block_until(process.continued, abi::never, Until::kill);
            continue;
        }
        if (!take_signal(task, deliverable, info)) {
            if (!task.mask_saved)
                break;
            // No handler took the temporary mask over: the old one is back, and may let something through.
            task.mask = task.saved_mask;
            task.mask_saved = false;
            continue;
        }
        const SignalAction action = process.actions->of(info.number);
        if (action.handler == handler_ignore && info.number != signal_number::kill && info.number != signal_number::stop)
            continue;
        if (action.handler == handler_default || info.number == signal_number::kill || info.number == signal_number::stop) {
            const DefaultAction what = default_action(info.number);
            const bool forced = (task.forced & signal_bit(info.number)) != 0;
            task.forced &= ~signal_bit(info.number);
            if (what == DefaultAction::ignore || (process.pid == first_pid && !forced))
                continue;
            if (what == DefaultAction::stop) {
                if (info.number == signal_number::stop || !orphaned_group(process))
                    stop_process(process, info.number);
                continue;
            }
            end_process_with(process, static_cast<std::uint32_t>(info.number));
            continue;
        }
        if ((action.flags & action_flag::reset_handler) != 0)
            process.actions->of(info.number).handler = handler_default;
        settle_with_handler(task, outcome, action);
        const SignalSet old_mask = task.mask_saved ? task.saved_mask : task.mask;
        lock.unlock();
        const auto pushed = push_signal_frame(task, action, info, old_mask);
        lock.lock();
        task.mask_saved = false;
        if (!pushed) {
            // No room for the frame: SIGSEGV, and the end where that is the one without room.
            SignalAction& own = process.actions->of(signal_number::segv);
            if (info.number == signal_number::segv || (task.mask & signal_bit(signal_number::segv)) != 0)
                own.handler = handler_default;
            task.mask = old_mask & ~signal_bit(signal_number::segv);
            SignalInfo fault;
            fault.number = signal_number::segv;
            fault.code = signal_code::kernel;
            task.forced |= signal_bit(fault.number);
            (void)task.pending.add(fault);
            continue;
        }
        SignalSet blocked = old_mask | action.mask;
        if ((action.flags & action_flag::no_defer) == 0)
            blocked |= signal_bit(info.number);
        task.mask = blocked & ~unblockable;
    }
    lock.unlock();
    settle_without_handler(task, outcome);
}

void force_signal(Task& task, const SignalInfo& info) {
    SandboxLock lock;
    SignalAction& action = task.process().actions->of(info.number);
    if ((task.mask & signal_bit(info.number)) != 0 || action.handler == handler_ignore) {
        action.handler = handler_default;
        task.mask &= ~signal_bit(info.number);
    }
    task.forced |= signal_bit(info.number);
    (void)task.pending.add(info);
    task.attention.store(true, std::memory_order_relaxed);
}

} // namespace personality
