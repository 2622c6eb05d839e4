#include "linux/task/exit.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"
#include "linux/core/lock.hpp"
#include "linux/exec/first_program.hpp"

#include "linux/memory/user_memory.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/park.hpp"

#include "linux/task/table.hpp"
#include "linux/tty/terminal.hpp"
#include "linux/time/futex.hpp"
#include "linux/time/timers.hpp"

#include <cstring>

namespace personality {

namespace {

constexpr std::uint64_t nanoseconds_per_tick = 10'000'000;

void tell_parent(Process& child) {
    Process* const parent = child.parent;
    if (parent == nullptr)
        return;
    const bool killed = (child.status & 0x7f) != 0;
    SignalInfo info;
    info.number = child.exit_signal;
    info.code = killed ? signal_code::cld_killed : signal_code::cld_exited;
    info.child.pid = child.pid;
    info.child.status = static_cast<std::int32_t>(killed ? child.status & 0x7f : child.status >> 8 & 0xff);
    info.child.user_time = static_cast<std::int64_t>(child.ended_times.user / nanoseconds_per_tick);
    info.child.system_time = static_cast<std::int64_t>(child.ended_times.system / nanoseconds_per_tick);
    if (child.exit_signal != 0)
        send_signal(*parent, info);
    parent->child_events.wake();
}

// A parent that ignores SIGCHLD, or said so, never waits for its children.
bool reaps_itself(Process& child) {
    if (child.parent == nullptr)
        return true;
    if (child.exit_signal != signal_number::child || !child.parent->actions)
        return false;
    const SignalAction& action = child.parent->actions->of(signal_number::child);
    return action.handler == handler_ignore || (action.flags & action_flag::no_child_wait) != 0;
}

// Who takes the children of a process that ends: its nearest ancestor that asked for it (PR_SET_CHILD_SUBREAPER), else process 1.
Process* new_parent(Process& process) {
    for (Process* at = process.parent; at != nullptr; at = at->parent)
        if (at->subreaper && !at->zombie && !at->ending)
            return at;
    Process* const first = init_process();
    return first != nullptr && first != &process && !first->zombie ? first : nullptr;
}

void hand_children_on(Process& process) {
    Process* const heir = new_parent(process);
    while (!process.children.empty()) {
        Process& child = process.children.front();
        process.children.remove(child);
        child.parent = heir;
        // What its maker asked for is not the heir's business.
        child.exit_signal = signal_number::child;
        if (heir != nullptr)
            heir->children.push_back(child);
        if (child.parent_death_signal != 0) {
            SignalInfo info;
            info.number = child.parent_death_signal;
            info.code = signal_code::user;
            info.sender.pid = process.pid;
            send_signal(child, info);
        }
        if (!child.zombie)
            continue;
        if (reaps_itself(child))
            reap(child);
        else
            tell_parent(child);
    }
}

// The last thread is gone. Sandbox lock held.
void become_zombie(Process& process) {
    process.ending = true;
    if (process.executable && process.executable->inode() != nullptr && process.executable->inode()->executing != 0)
        --process.executable->inode()->executing;
    drop_timers(process);
    if (process.files->references() == 1)
        process.files->close_all();
    process.files = nullptr;
    process.fs = nullptr;
    process.executable = nullptr;
    process.memory = nullptr;
    hand_children_on(process);
    if (process.session && process.session->id == process.pid && process.session->terminal) {
        terminal_of(*process.session->terminal)->set_session(nullptr);
        process.session->terminal = nullptr;
        send_to_group(process.session->foreground_group, signal_number::hup);
    }
    process.zombie = true;
    if (process.pid == first_pid) {
        end_all();
        first_program_ended(process.status);
    }
    if (!reaps_itself(process)) {
        tell_parent(process);
        return;
    }
    // A parent that waits for all its children learns that there is none any more. With SA_NOCLDWAIT and a handler it gets the signal, too.
    const base::Ref<Process> parent = process.parent != nullptr ? base::Ref<Process>(*process.parent) : base::Ref<Process>();
    const bool ignored = parent && parent->actions && parent->actions->ignored(signal_number::child);
    if (parent && !ignored)
        tell_parent(process);
    reap(process);
    if (parent)
        parent->child_events.wake();
}

void leave_robust_and_tid(Task& task) {
    release_robust_list(task);
    if (task.clear_child_tid != 0 && UserPtr<std::uint32_t>(task.clear_child_tid).write(0))
        (void)wake_futex(task.clear_child_tid, 1);
}

} // namespace

void exit_task(Task& task) {
    Process& process = task.process();
    leave_robust_and_tid(task);
    // The tables of the guest half may go with the process.
    (void)native::call::restricted_attach(abi::no_handle);
    {
        SandboxLock lock;
        task.exiting = true;
        task.thread = abi::no_handle; // nobody kicks it from here on
        if (task.vfork_done != nullptr) {
            task.vfork_child = false;
            task.vfork_done->wake();
            task.vfork_done = nullptr;
        }
        const base::Ref<Process> keep = task.process_reference();
        task.pending.clear(~SignalSet{0});
        unregister_task(task);
        process.threads.remove(task);
        abi::ThreadInfo info{};
        if (native::call::thread_inspect(native::current_thread().handle, info))
            add_ended_time(process, info.cpu_nanoseconds);
        std::memcpy(process.last_name, task.name, sizeof process.last_name);
        if (--process.thread_count == 0)
            become_zombie(process);
        else
            process.child_events.wake(); // exec waits for its siblings
        if (task_count() == 0)
            last_task_ended();
        task.release(); // the thread's own reference; `current` is not used any more
    }
    native::leave_thread();
}

void end_process_with(Process& process, std::uint32_t status) {
    if (process.ending)
        return;
    process.ending = true;
    process.status = status;
    for (Task& task : process.threads)
        interrupt_task(task);
}

void end_process(Task& task, int signal) {
    const SandboxLock lock;
    end_process_with(task.process(), static_cast<std::uint32_t>(signal));
    task.attention.store(true, std::memory_order_seq_cst);
}

void out_of_memory(Task& task) {
    const SandboxLock lock;
    Process* chosen = nullptr;
    std::uint64_t most = 0;
    for (Process& process : all_processes()) {
        if (process.zombie || process.ending || !process.memory)
            continue;
        const std::uint64_t bytes = process.memory->areas().total_bytes();
        if (chosen == nullptr || bytes > most) {
            chosen = &process;
            most = bytes;
        }
    }
    // One that ends already gives its memory back soon; the caller tries again and meets its own end where it is that one.
    if (chosen != nullptr)
        memory_ran_out();
    else
        chosen = &task.process();
    end_process_with(*chosen, signal_number::kill);
    task.attention.store(true, std::memory_order_seq_cst);
}

void end_all() {
    for (Process& process : all_processes())
        if (!process.zombie)
            end_process_with(process, signal_number::kill);
}

void reap(Process& zombie) {
    if (zombie.parent != nullptr)
        zombie.parent->children.remove(zombie);
    zombie.parent = nullptr;
    unregister_process(zombie);
}

} // namespace personality
