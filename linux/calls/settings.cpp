// Small settings of a process: limits, scheduling parameters, personality, locked memory.
#include "linux/calls/call.hpp"
#include "linux/task/table.hpp"

namespace personality {

namespace {

struct RawLimit {
    std::uint64_t soft, hard;
};

// struct sched_param
struct SchedulingParameters {
    std::int32_t priority;
};

bool is_self(const Task& task, std::int32_t pid) { return pid == 0 || pid == task.tid || pid == task.process().pid; }

LinuxResult<void> set_limit(Task& task, unsigned resource, const RawLimit& wanted) {
    if (wanted.soft > wanted.hard)
        return fail(Errno::EINVAL);
    Limit& now = task.process().limits[resource];
    if (wanted.hard > now.hard && !task.credentials.has(capability::sys_resource))
        return fail(Errno::EPERM);
    now = {wanted.soft, wanted.hard};
    return {};
}

} // namespace

LinuxResult<std::uint64_t> sys_getrlimit(Task& task, const CallArguments& arguments) {
    const std::uint32_t resource = arguments.u32(0);
    if (resource >= limit::count)
        return fail(Errno::EINVAL);
    Limit value;
    {
        const SandboxLock lock;
        value = task.process().limits[resource];
    }
    if (const auto written = arguments.pointer<RawLimit>(1).write({value.soft, value.hard}); !written)
        return fail(written.error());
    return 0;
}

LinuxResult<std::uint64_t> sys_setrlimit(Task& task, const CallArguments& arguments) {
    const std::uint32_t resource = arguments.u32(0);
    if (resource >= limit::count)
        return fail(Errno::EINVAL);
    const auto wanted = arguments.pointer<RawLimit>(1).read();
    if (!wanted)
        return fail(wanted.error());
    const SandboxLock lock;
    if (const auto set = set_limit(task, resource, *wanted); !set)
        return fail(set.error());
    return 0;
}

LinuxResult<std::uint64_t> sys_prlimit64(Task& task, const CallArguments& arguments) {
    const std::uint32_t resource = arguments.u32(1);
    if (resource >= limit::count)
        return fail(Errno::EINVAL);
    if (!is_self(task, arguments.i32(0)))
        return fail(Errno::ESRCH);
    RawLimit wanted{};
    const auto source = arguments.pointer<RawLimit>(2);
    if (source) {
        const auto read = source.read();
        if (!read)
            return fail(read.error());
        wanted = *read;
    }
    Limit before;
    {
        const SandboxLock lock;
        before = task.process().limits[resource];
        if (source)
            if (const auto set = set_limit(task, resource, wanted); !set)
                return fail(set.error());
    }
    if (const auto target = arguments.pointer<RawLimit>(3))
        if (const auto written = target.write({before.soft, before.hard}); !written)
            return fail(written.error());
    return 0;
}

// Every thread is of the ordinary policy, and stays so: the sandbox' share of the processors is decided outside of it.
LinuxResult<std::uint64_t> sys_sched_getscheduler(Task& task, const CallArguments& arguments) {
    if (arguments.i32(0) < 0)
        return fail(Errno::EINVAL);
    return is_self(task, arguments.i32(0)) ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::ESRCH));
}

LinuxResult<std::uint64_t> sys_sched_setscheduler(Task& task, const CallArguments& arguments) {
    const auto parameters = arguments.pointer<SchedulingParameters>(2).read();
    if (!parameters)
        return fail(parameters.error());
    // SCHED_OTHER 0, SCHED_BATCH 3, SCHED_IDLE 5; the realtime policies need a right that containers do not have.
    const std::uint32_t policy = arguments.u32(1) & ~0x40000000u;
    if (policy == 1 || policy == 2)
        return fail(parameters->priority < 1 || parameters->priority > 99 ? Errno::EINVAL : Errno::EPERM);
    if ((policy != 0 && policy != 3 && policy != 5) || parameters->priority != 0)
        return fail(Errno::EINVAL);
    return is_self(task, arguments.i32(0)) ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::ESRCH));
}

LinuxResult<std::uint64_t> sys_sched_getparam(Task& task, const CallArguments& arguments) {
    if (arguments.i32(0) < 0 || arguments[1] == 0)
        return fail(Errno::EINVAL);
    if (!is_self(task, arguments.i32(0)))
        return fail(Errno::ESRCH);
    if (const auto written = arguments.pointer<SchedulingParameters>(1).write({0}); !written)
        return fail(written.error());
    return 0;
}

LinuxResult<std::uint64_t> sys_sched_get_priority_max(Task&, const CallArguments& arguments) {
    const std::uint32_t policy = arguments.u32(0);
    if (policy == 1 || policy == 2)
        return 99;
    return policy == 0 || policy == 3 || policy == 5 || policy == 6 ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::EINVAL));
}

LinuxResult<std::uint64_t> sys_sched_get_priority_min(Task&, const CallArguments& arguments) {
    const std::uint32_t policy = arguments.u32(0);
    if (policy == 1 || policy == 2)
        return 1;
    return policy == 0 || policy == 3 || policy == 5 || policy == 6 ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::EINVAL));
}

// Only queries (0xffffffff) and what changes nothing.
// PRIO_PROCESS, PRIO_PGRP, PRIO_USER: whether it names somebody. Nice values do not order the threads of a sandbox; all are 0.
static LinuxResult<void> check_priority_target(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t process = 0, group = 1, user = 2;
    const std::int32_t who = arguments.i32(1);
    if (arguments.u32(0) > user)
        return fail(Errno::EINVAL);
    const SandboxLock lock;
    const bool found = who == 0 || (arguments.u32(0) == process && find_task(who) != nullptr) || (arguments.u32(0) == group && find_in_group(who) != nullptr) ||
                       (arguments.u32(0) == user && arguments.u32(1) == task.credentials.user);
    if (!found)
        return fail(Errno::ESRCH);
    return {};
}

LinuxResult<std::uint64_t> sys_getpriority(Task& task, const CallArguments& arguments) {
    TRY(check_priority_target(task, arguments));
    return 20; // 20 - nice, so that no value is an error
}

LinuxResult<std::uint64_t> sys_setpriority(Task& task, const CallArguments& arguments) {
    TRY(check_priority_target(task, arguments));
    if (arguments.i32(2) != 0)
        return fail(Errno::ENOSYS);
    return 0;
}

LinuxResult<std::uint64_t> sys_personality(Task& task, const CallArguments& arguments) {
    const std::uint32_t wanted = arguments.u32(0);
    const SandboxLock lock;
    const std::uint32_t before = task.process().personality;
    if (wanted != 0xffffffff)
        task.process().personality = wanted;
    return before;
}

// Locking pages makes no difference here: nothing is ever swapped out.
LinuxResult<std::uint64_t> sys_mlock(Task&, const CallArguments& arguments) {
    return user_range(arguments[0], arguments[1]) ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::ENOMEM));
}
LinuxResult<std::uint64_t> sys_munlock(Task& task, const CallArguments& arguments) { return sys_mlock(task, arguments); }
LinuxResult<std::uint64_t> sys_mlockall(Task&, const CallArguments& arguments) {
    const std::uint32_t flags = arguments.u32(0); // MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT
    return flags != 0 && (flags & ~7u) == 0 && flags != 4 ? LinuxResult<std::uint64_t>(0) : LinuxResult<std::uint64_t>(fail(Errno::EINVAL));
}
LinuxResult<std::uint64_t> sys_munlockall(Task&, const CallArguments&) { return 0; }

} // namespace personality
