// Numbers of processes and threads, groups and sessions, and the small properties of a thread: arch_prctl, prctl, robust lists, processors.
#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/calls/call.hpp"
#include "linux/sandbox/processors.hpp"
#include "linux/task/table.hpp"

#include <algorithm>
#include <cstring>

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

std::uint64_t number(std::int32_t value) { return static_cast<std::uint64_t>(value); }

// The process `pid`, where it is the caller's own or one of its children. Sandbox lock held.
Process* self_or_child(Process& self, std::int32_t pid) {
    if (pid == 0 || pid == self.pid)
        return &self;
    Process* const found = find_process(pid);
    return found != nullptr && found->parent == &self ? found : nullptr;
}

// The task `tid`; 0: the caller. Sandbox lock held. Errors: ESRCH.
LinuxResult<Task*> task_or_self(Task& self, std::int32_t tid) {
    Task* const found = tid == 0 ? &self : find_task(tid);
    if (found == nullptr)
        return fail(Errno::ESRCH);
    return found;
}

bool group_in_session(std::int32_t group, const Session* session) {
    for (const Process& process : all_processes())
        if (process.group == group && process.session.get() == session)
            return true;
    return false;
}

} // namespace

CallResult sys_getpid(Task& task, const CallArguments&) { return number(task.process().pid); }
CallResult sys_gettid(Task& task, const CallArguments&) { return number(task.tid); }

CallResult sys_getppid(Task& task, const CallArguments&) {
    const SandboxLock lock;
    const Process* const parent = task.process().parent;
    return parent != nullptr ? number(parent->pid) : 0;
}

CallResult sys_set_tid_address(Task& task, const CallArguments& arguments) {
    task.clear_child_tid = arguments[0];
    return number(task.tid);
}

CallResult sys_getpgrp(Task& task, const CallArguments&) {
    const SandboxLock lock;
    return number(task.process().group);
}

CallResult sys_getpgid(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    const Process* const process = arguments.i32(0) == 0 ? &task.process() : find_process(arguments.i32(0));
    if (process == nullptr)
        return fail(Errno::ESRCH);
    return number(process->group);
}

CallResult sys_setpgid(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    if (arguments.i32(1) < 0)
        return fail(Errno::EINVAL);
    Process& self = task.process();
    Process* const process = self_or_child(self, arguments.i32(0));
    if (process == nullptr)
        return fail(Errno::ESRCH);
    if (process != &self) {
        if (process->session != self.session)
            return fail(Errno::EPERM);
        if (process->executed)
            return fail(Errno::EACCES);
    }
    if (process->session && process->session->id == process->pid)
        return fail(Errno::EPERM);
    const std::int32_t group = arguments.i32(1) == 0 ? process->pid : arguments.i32(1);
    if (group != process->pid && !group_in_session(group, self.session.get()))
        return fail(Errno::EPERM);
    process->group = group;
    return 0;
}

CallResult sys_getsid(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    const Process* const process = arguments.i32(0) == 0 ? &task.process() : find_process(arguments.i32(0));
    if (process == nullptr)
        return fail(Errno::ESRCH);
    return process->session ? number(process->session->id) : 0;
}

CallResult sys_setsid(Task& task, const CallArguments&) {
    const SandboxLock lock;
    Process& process = task.process();
    for (const Process& other : all_processes())
        if (other.group == process.pid)
            return fail(Errno::EPERM);
    auto* session = new (std::nothrow) Session(process.pid);
    if (session == nullptr)
        return fail(Errno::ENOMEM);
    process.session = base::Ref<Session>::adopt(*session);
    process.group = process.pid;
    return number(process.pid);
}

CallResult sys_arch_prctl(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004;
    abi::GuestRegisters& registers = task.registers();
    switch (arguments.i32(0)) {
    case set_fs: case set_gs:
        if (arguments[1] >= abi::guest_end)
            return fail(Errno::EPERM);
        (arguments.i32(0) == set_fs ? registers.fs_base : registers.gs_base) = arguments[1];
        return 0;
    case get_fs: TRY(arguments.pointer<std::uint64_t>(1).write(registers.fs_base)); return 0;
    case get_gs: TRY(arguments.pointer<std::uint64_t>(1).write(registers.gs_base)); return 0;
    default: return fail(Errno::EINVAL);
    }
}

CallResult sys_set_robust_list(Task& task, const CallArguments& arguments) {
    constexpr std::uint64_t head_bytes = 24;
    if (arguments[1] != head_bytes)
        return fail(Errno::EINVAL);
    task.robust_list = arguments[0];
    task.robust_list_length = arguments[1];
    return 0;
}

CallResult sys_get_robust_list(Task& task, const CallArguments& arguments) {
    if (arguments.i32(0) != 0 && arguments.i32(0) != task.tid)
        return fail(Errno::EPERM);
    TRY(arguments.pointer<std::uint64_t>(1).write(task.robust_list));
    TRY(arguments.pointer<std::uint64_t>(2).write(24));
    return 0;
}

CallResult sys_sched_yield(Task&, const CallArguments&) {
    (void)native::call::thread_yield();
    return 0;
}

CallResult sys_sched_getaffinity(Task& task, const CallArguments& arguments) {
    if (arguments.u32(1) < sizeof(std::uint64_t) || arguments.u32(1) % sizeof(std::uint64_t) != 0)
        return fail(Errno::EINVAL);
    std::uint64_t mask = 0;
    {
        const SandboxLock lock;
        mask = processors_of(*TRY(task_or_self(task, arguments.i32(0))));
    }
    TRY(arguments.pointer<std::uint64_t>(2).write(mask));
    return sizeof(std::uint64_t);
}

CallResult sys_sched_setaffinity(Task& task, const CallArguments& arguments) {
    std::uint64_t mask = 0;
    const std::size_t bytes = std::min<std::size_t>(arguments.u32(1), sizeof mask);
    TRY(copy_in(std::as_writable_bytes(std::span(&mask, 1)).first(bytes), arguments[2]));
    const SandboxLock lock;
    Task& subject = *TRY(task_or_self(task, arguments.i32(0)));
    const std::uint32_t caller = task.credentials.effective_user;
    if (caller != subject.credentials.effective_user && caller != subject.credentials.user && !task.credentials.has(capability::sys_nice))
        return fail(Errno::EPERM);
    TRY(choose_processors(subject, mask));
    return 0;
}

CallResult sys_getcpu(Task& task, const CallArguments& arguments) {
    abi::ThreadInfo info{};
    (void)native::call::thread_inspect(task.thread, info);
    if (const auto cpu = arguments.pointer<std::uint32_t>(0))
        TRY(cpu.write(info.cpu));
    if (const auto node = arguments.pointer<std::uint32_t>(1))
        TRY(node.write(0));
    return 0;
}

CallResult sys_prctl(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t set_parent_death = 1, get_parent_death = 2, get_dumpable = 3, set_dumpable = 4, get_keep = 7, set_keep = 8, set_name = 15, get_name = 16,
                           get_seccomp = 21, bounding_read = 23, bounding_drop = 24, get_slack = 30, set_slack = 29, set_subreaper = 36, get_subreaper = 37, set_no_new = 38, get_no_new = 39,
                           thp_disable = 41, ambient = 47;
    Process& process = task.process();
    switch (arguments.i32(0)) {
    case set_parent_death:
        if (arguments[1] > signal_number::last)
            return fail(Errno::EINVAL);
        process.parent_death_signal = static_cast<std::int32_t>(arguments[1]);
        return 0;
    case get_parent_death: TRY(arguments.pointer<std::int32_t>(1).write(process.parent_death_signal)); return 0;
    case get_dumpable: return process.dumpable ? 1 : 0;
    case set_dumpable:
        if (arguments[1] > 1)
            return fail(Errno::EINVAL);
        process.dumpable = arguments[1] == 1;
        return 0;
    case get_keep: return task.credentials.keep_capabilities ? 1 : 0;
    case set_keep:
        if (arguments[1] > 1)
            return fail(Errno::EINVAL);
        task.credentials.keep_capabilities = arguments[1] == 1;
        return 0;
    case set_name: {
        char name[16] = {};
        if (auto length = copy_string(name, arguments[1]); !length && length.error() != Errno::ENAMETOOLONG)
            return fail(length.error());
        name[15] = 0;
        const SandboxLock lock;
        std::memcpy(task.name, name, sizeof name);
        return 0;
    }
    case get_name: TRY(copy_out(arguments[1], std::as_bytes(std::span(task.name)))); return 0;
    case get_seccomp: return 0;
    case bounding_read:
        if (arguments[1] > capability::last)
            return fail(Errno::EINVAL);
        return (task.credentials.bounding & capability::bit(static_cast<unsigned>(arguments[1]))) != 0 ? 1 : 0;
    case bounding_drop:
        if (arguments[1] > capability::last)
            return fail(Errno::EINVAL);
        if (!task.credentials.has(capability::setpcap))
            return fail(Errno::EPERM);
        task.credentials.bounding &= ~capability::bit(static_cast<unsigned>(arguments[1]));
        return 0;
    case get_slack: return 50000;
    case set_slack: return 0;
    case set_subreaper: process.subreaper = arguments[1] != 0; return 0;
    case get_subreaper: TRY(arguments.pointer<std::int32_t>(1).write(process.subreaper ? 1 : 0)); return 0;
    case set_no_new:
        if (arguments[1] != 1 || arguments[2] != 0)
            return fail(Errno::EINVAL);
        task.credentials.no_new_privileges = true;
        return 0;
    case get_no_new: return task.credentials.no_new_privileges ? 1 : 0;
    case thp_disable: return 0;
    case ambient: {
        constexpr std::uint64_t is_set = 1, raise = 2, lower = 3, clear = 4;
        Credentials& who = task.credentials;
        if (arguments[1] == clear) {
            who.ambient = 0;
            return 0;
        }
        if (arguments[2] > capability::last)
            return fail(Errno::EINVAL);
        const std::uint64_t bit = capability::bit(static_cast<unsigned>(arguments[2]));
        switch (arguments[1]) {
        case is_set: return (who.ambient & bit) != 0 ? 1 : 0;
        case raise:
            if ((who.permitted & bit) == 0 || (who.inheritable & bit) == 0)
                return fail(Errno::EPERM);
            who.ambient |= bit;
            return 0;
        case lower: who.ambient &= ~bit; return 0;
        default: return fail(Errno::EINVAL);
        }
    }
    default: return fail(Errno::EINVAL);
    }
}

} // namespace personality
