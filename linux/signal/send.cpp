#include "linux/signal/send.hpp"

#include "linux/ipc/signal_file.hpp"
#include "linux/task/park.hpp"
#include "linux/task/table.hpp"

namespace personality {

namespace {

constexpr SignalSet only_kernel = signal_bit(signal_number::kill) | signal_bit(signal_number::stop);

// Process 1 gets only what it has a handler for, whoever sends: a child's end or a file's readiness may carry any number. Its own faults do not come this way, and SIGKILL from
// outside ends the container by another.
bool dropped(Process& process, const SignalInfo& info, SignalSet blocked) {
    if ((blocked & signal_bit(info.number)) != 0)
        return false; // it may be handled by the time it is unblocked
    const SignalAction& action = process.actions->of(info.number);
    if (process.pid == first_pid && action.handler == handler_default)
        return true;
    return (signal_bit(info.number) & only_kernel) == 0 && process.actions->ignored(info.number);
}

// Stop and continue cancel each other when they are sent, whatever becomes of them.
void side_effects(Process& process, int number) {
    const SignalSet bit = signal_bit(number);
    if ((bit & stopping) != 0) {
        process.pending.clear(signal_bit(signal_number::cont));
        for (Task& task : process.threads)
            task.pending.clear(signal_bit(signal_number::cont));
    }
    if (number != signal_number::cont && number != signal_number::kill)
        return;
    if (number == signal_number::cont) {
        process.pending.clear(stopping);
        for (Task& task : process.threads)
            task.pending.clear(stopping);
    }
    if (!process.stopped)
        return;
    process.stopped = false;
    process.stop_reported = true;
    process.continue_reported = number == signal_number::kill;
    process.continued.wake();
    for (Task& task : process.threads)
        interrupt_task(task);
    if (number == signal_number::cont && process.parent != nullptr) {
        process.parent->child_events.wake();
        SignalInfo info;
        info.number = signal_number::child;
        info.code = signal_code::cld_continued;
        info.child.pid = process.pid;
        info.child.status = signal_number::cont;
        if ((process.parent->actions->of(signal_number::child).flags & action_flag::no_child_stop) == 0)
            send_signal(*process.parent, info);
    }
}

} // namespace

void send_signal(Task& task, const SignalInfo& info) {
    Process& process = task.process();
    if (process.zombie || !process.actions)
        return;
    side_effects(process, info.number);
    if (dropped(process, info, task.mask | task.waited_for))
        return;
    const auto added = task.pending.add(info);
    if (added)
        signal_readers().wake();
    if (added && (task.mask & signal_bit(info.number)) == 0)
        interrupt_task(task);
    // sigtimedwait waits for signals that are blocked.
    else if ((task.waited_for & signal_bit(info.number)) != 0)
        interrupt_task(task);
}

void send_signal(Process& process, const SignalInfo& info) {
    if (process.zombie || !process.actions || process.threads.empty())
        return;
    side_effects(process, info.number);
    Task* chosen = nullptr;
    SignalSet blocked = ~SignalSet{0};
    for (Task& task : process.threads) {
        if (task.exiting)
            continue;
        blocked &= task.mask | task.waited_for;
        const bool takes = (task.mask & signal_bit(info.number)) == 0 || (task.waited_for & signal_bit(info.number)) != 0;
        // The leader first; else whoever sleeps for it, else any.
        if (takes && (chosen == nullptr || task.tid == process.pid))
            chosen = &task;
    }
    if (dropped(process, info, blocked))
        return;
    if (!process.pending.add(info))
        return;
    signal_readers().wake();
    if (info.number == signal_number::kill) {
        for (Task& task : process.threads)
            interrupt_task(task);
        return;
    }
    if (chosen != nullptr)
        interrupt_task(*chosen);
}

void send_to_group(std::int32_t group, int number) {
    if (group <= 0)
        return;
    SignalInfo info;
    info.number = number;
    info.code = signal_code::kernel;
    for (auto at = all_processes().begin(); at != all_processes().end();) {
        Process& process = *at;
        ++at;
        if (process.group == group)
            send_signal(process, info);
    }
}

void send_broken_pipe(Task& task) {
    SignalInfo info;
    info.number = signal_number::pipe;
    info.code = signal_code::user;
    info.sender.pid = task.process().pid;
    info.sender.uid = task.credentials.user;
    send_signal(task, info);
}

} // namespace personality
