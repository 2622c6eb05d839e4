// Signals (man 2 rt_sigaction and its relatives).
#include "linux/calls/waiting.hpp"
#include "linux/signal/deliver.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/park.hpp"
#include "linux/task/table.hpp"
#include "linux/time/timers.hpp"

#include <cstring>

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

constexpr std::int32_t stack_on = 1, stack_disabled = 2;
constexpr std::uint32_t stack_autodisarm = 0x80000000;
constexpr std::uint64_t least_stack = 2048;

LinuxResult<void> check_size(std::uint64_t size) {
    if (size != sizeof(SignalSet))
        return fail(Errno::EINVAL);
    return {};
}

// Whether `task` may signal `target`: same user, or CAP_KILL; SIGCONT within a session. Lock held.
bool may_signal(const Task& task, Process& target, int number) {
    if (&task.process() == &target || task.credentials.has(capability::kill))
        return true;
    const Task* const other = target.leader();
    if (other == nullptr)
        return true; // a zombie: nothing comes of it
    const Credentials &mine = task.credentials, &its = other->credentials;
    if (mine.effective_user == its.user || mine.effective_user == its.saved_user || mine.user == its.user || mine.user == its.saved_user)
        return true;
    return number == signal_number::cont && task.process().session == target.session;
}

SignalInfo own_info(const Task& task, int number, std::int32_t code) {
    SignalInfo info;
    info.number = number;
    info.code = code;
    info.sender.pid = task.process().pid;
    info.sender.uid = task.credentials.user;
    return info;
}

// Lock held. `number` 0 only asks.
LinuxResult<void> signal_process(Task& task, Process& target, const SignalInfo& info) {
    if (!may_signal(task, target, info.number))
        return fail(Errno::EPERM);
    if (info.number != 0)
        send_signal(target, info);
    return {};
}

// To every process that `selects` takes. ESRCH where there is none, EPERM where none could be signalled.
template <class Selects> LinuxResult<void> signal_many(Task& task, const SignalInfo& info, Selects selects) {
    bool any = false, done = false;
    for (auto at = all_processes().begin(); at != all_processes().end();) {
        Process& process = *at;
        ++at;
        if (!selects(process))
            continue;
        any = true;
        if (signal_process(task, process, info))
            done = true;
    }
    if (!any)
        return fail(Errno::ESRCH);
    if (!done)
        return fail(Errno::EPERM);
    return {};
}

LinuxResult<void> signal_thread(Task& task, std::int32_t group, std::int32_t tid, SignalInfo info) {
    if (tid <= 0 || info.number < 0 || info.number > signal_number::last)
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    Task* const target = find_task(tid);
    if (target == nullptr || (group != 0 && target->process().pid != group))
        return fail(Errno::ESRCH);
    if (!may_signal(task, target->process(), info.number))
        return fail(Errno::EPERM);
    if (info.number != 0)
        send_signal(*target, info);
    return {};
}

// A siginfo_t that a program made up. Kernel codes may only go to itself.
LinuxResult<SignalInfo> load_info(Task& task, std::uint64_t address, int number, std::int32_t pid) {
    SignalInfo info = TRY(UserPtr<SignalInfo>(address).read());
    if (info.code >= 0 || info.code == signal_code::tkill)
        if (pid != task.process().pid)
            return fail(Errno::EPERM);
    info.number = number;
    return info;
}

} // namespace

CallResult sys_rt_sigaction(Task& task, const CallArguments& arguments) {
    TRY(check_size(arguments[3]));
    const std::int32_t number = arguments.i32(0);
    if (!valid_signal(number))
        return fail(Errno::EINVAL);
    SignalAction fresh;
    if (arguments[1] != 0) {
        if (number == signal_number::kill || number == signal_number::stop)
            return fail(Errno::EINVAL);
        // The kernel's struct: handler, flags, restorer, mask.
        fresh = TRY(arguments.pointer<SignalAction>(1).read());
        fresh.mask &= ~unblockable;
        fresh.flags &= ~action_flag::unsupported;
    }
    SignalAction old;
    {
        const SandboxLock lock;
        Process& process = task.process();
        old = process.actions->of(number);
        if (arguments[1] != 0) {
            process.actions->of(number) = fresh;
            // What is ignored from now on is not pending either.
            if (process.actions->ignored(number)) {
                process.pending.clear(signal_bit(number));
                for (Task& one : process.threads)
                    one.pending.clear(signal_bit(number));
            }
        }
    }
    if (arguments[2] != 0)
        TRY(arguments.pointer<SignalAction>(2).write(old));
    return 0;
}

CallResult sys_rt_sigprocmask(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t block = 0, unblock = 1, set = 2;
    TRY(check_size(arguments[3]));
    const SignalSet old = task.mask;
    if (arguments[1] != 0) {
        const SignalSet given = TRY(arguments.pointer<SignalSet>(1).read());
        SignalSet fresh = 0;
        switch (arguments.i32(0)) {
        case block: fresh = old | given; break;
        case unblock: fresh = old & ~given; break;
        case set: fresh = given; break;
        default: return fail(Errno::EINVAL);
        }
        const SandboxLock lock;
        task.mask = fresh & ~unblockable;
        if (task.signal_pending())
            task.attention.store(true, std::memory_order_relaxed);
    }
    if (arguments[2] != 0)
        TRY(arguments.pointer<SignalSet>(2).write(old));
    return 0;
}

CallResult sys_rt_sigreturn(Task& task, const CallArguments&) {
    if (auto popped = pop_signal_frame(task); !popped) {
        SignalInfo info;
        info.number = signal_number::segv;
        info.code = signal_code::kernel;
        force_signal(task, info);
    }
    return task.registers().rax;
}

CallResult sys_rt_sigpending(Task& task, const CallArguments& arguments) {
    if (arguments[1] > sizeof(SignalSet))
        return fail(Errno::EINVAL);
    SignalSet set = 0;
    {
        const SandboxLock lock;
        set = (task.pending.set() | task.process().pending.set()) & task.mask;
    }
    TRY(copy_out(arguments[0], std::as_bytes(std::span(&set, 1)).first(arguments[1])));
    return 0;
}

CallResult sys_rt_sigsuspend(Task& task, const CallArguments& arguments) {
    TRY(check_size(arguments[1]));
    const SignalSet mask = TRY(arguments.pointer<SignalSet>(0).read());
    SandboxLock lock;
    task.use_temporary_mask(mask);
    WaitQueue nobody;
    for (;;)
        if (auto slept = block(nobody); !slept)
            return fail(Errno::ERESTARTNOHAND);
}

CallResult sys_pause(Task&, const CallArguments&) {
    SandboxLock lock;
    WaitQueue nobody;
    for (;;)
        if (auto slept = block(nobody); !slept)
            return fail(Errno::ERESTARTNOHAND);
}

CallResult sys_rt_sigtimedwait(Task& task, const CallArguments& arguments) {
    TRY(check_size(arguments[3]));
    const SignalSet wanted = TRY(arguments.pointer<SignalSet>(0).read()) & ~unblockable;
    const abi::Deadline deadline = TRY(load_timeout(arguments[2], false));
    SignalInfo info;
    {
        SandboxLock lock;
        WaitQueue nobody;
        const auto take = [&] { return take_signal(task, wanted, info); };
        bool taken = take();
        while (!taken) {
            if (deadline == abi::poll)
                return fail(Errno::EAGAIN);
            // While it waits the wanted signals count as unblocked, so that they wake it.
            const SignalSet mask = task.mask;
            task.waited_for = wanted & mask;
            task.mask = mask & ~wanted;
            const auto slept = block(nobody, deadline);
            task.mask = mask;
            task.waited_for = 0;
            taken = take();
            if (!taken && !slept)
                return fail(slept.error() == Errno::ETIMEDOUT ? Errno::EAGAIN : Errno::EINTR);
        }
    }
    if (arguments[1] != 0) {
        std::byte bytes[signal_info_bytes] = {};
        std::memcpy(bytes, &info, sizeof info);
        TRY(copy_out(arguments[1], bytes));
    }
    return static_cast<std::uint64_t>(info.number);
}

CallResult sys_sigaltstack(Task& task, const CallArguments& arguments) {
    struct Stack {
        std::uint64_t address;
        std::int32_t flags;
        std::int32_t padding;
        std::uint64_t size;
    };
    auto& now = task.alternate_stack;
    const std::uint64_t pointer = task.registers().rsp;
    const bool on_it = now.size != 0 && pointer - now.address < now.size && (static_cast<std::uint32_t>(now.flags) & stack_autodisarm) == 0;
    const Stack old{now.address, now.size == 0 ? stack_disabled : (now.flags & static_cast<std::int32_t>(stack_autodisarm)) | (on_it ? stack_on : 0), 0, now.size};
    if (arguments[0] != 0) {
        const Stack fresh = TRY(arguments.pointer<Stack>(0).read());
        const std::int32_t kind = fresh.flags & static_cast<std::int32_t>(~stack_autodisarm);
        if (on_it)
            return fail(Errno::EPERM);
        if (kind != 0 && kind != stack_on && kind != stack_disabled)
            return fail(Errno::EINVAL);
        if (kind == stack_disabled) {
            now = {0, 0, stack_disabled};
        } else {
            if (fresh.size < least_stack)
                return fail(Errno::ENOMEM);
            now = {fresh.address, fresh.size, fresh.flags & static_cast<std::int32_t>(stack_autodisarm)};
        }
    }
    if (arguments[1] != 0)
        TRY(arguments.pointer<Stack>(1).write(old));
    return 0;
}

CallResult sys_kill(Task& task, const CallArguments& arguments) {
    const std::int32_t pid = arguments.i32(0), number = arguments.i32(1);
    if (number < 0 || number > signal_number::last)
        return fail(Errno::EINVAL);
    if (pid == INT32_MIN)
        return fail(Errno::ESRCH);
    const SignalInfo info = own_info(task, number, signal_code::user);
    const SandboxLock lock;
    if (pid > 0) {
        Process* const target = find_process(pid);
        if (target == nullptr)
            return fail(Errno::ESRCH);
        TRY(signal_process(task, *target, info));
        return 0;
    }
    const std::int32_t group = pid == 0 ? task.process().group : -pid;
    if (pid == -1)
        TRY(signal_many(task, info, [&](Process& process) { return process.pid != first_pid && &process != &task.process(); }));
    else
        TRY(signal_many(task, info, [&](Process& process) { return process.group == group; }));
    return 0;
}

CallResult sys_tkill(Task& task, const CallArguments& arguments) {
    TRY(signal_thread(task, 0, arguments.i32(0), own_info(task, arguments.i32(1), signal_code::tkill)));
    return 0;
}

CallResult sys_tgkill(Task& task, const CallArguments& arguments) {
    if (arguments.i32(0) <= 0)
        return fail(Errno::EINVAL);
    TRY(signal_thread(task, arguments.i32(0), arguments.i32(1), own_info(task, arguments.i32(2), signal_code::tkill)));
    return 0;
}

CallResult sys_rt_sigqueueinfo(Task& task, const CallArguments& arguments) {
    const std::int32_t number = arguments.i32(1);
    const SignalInfo info = TRY(load_info(task, arguments[2], number, arguments.i32(0)));
    if (number < 0 || number > signal_number::last)
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    Process* const target = find_process(arguments.i32(0));
    if (target == nullptr)
        return fail(Errno::ESRCH);
    TRY(signal_process(task, *target, info));
    return 0;
}

CallResult sys_rt_tgsigqueueinfo(Task& task, const CallArguments& arguments) {
    const SignalInfo info = TRY(load_info(task, arguments[3], arguments.i32(2), arguments.i32(0)));
    TRY(signal_thread(task, arguments.i32(0), arguments.i32(1), info));
    return 0;
}

CallResult sys_restart_syscall(Task& task, const CallArguments&) {
    if (task.restart.resume == nullptr)
        return fail(Errno::EINTR);
    const RestartBlock block = task.restart;
    return block.resume(task, block);
}

} // namespace personality
