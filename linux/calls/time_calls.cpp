// Clocks and sleeping (man 2 clock_gettime, nanosleep).
#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/calls/waiting.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/task/park.hpp"

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

namespace clock {
constexpr std::int32_t realtime = 0, monotonic = 1, process_time = 2, thread_time = 3, monotonic_raw = 4, realtime_coarse = 5, monotonic_coarse = 6, boottime = 7,
                       realtime_alarm = 8, boottime_alarm = 9, tai = 11;
}

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};

TimeSpec spec(std::uint64_t nanoseconds) { return {static_cast<std::int64_t>(nanoseconds / second), static_cast<std::int64_t>(nanoseconds % second)}; }

LinuxResult<std::uint64_t> read_clock(Task& task, std::int32_t id) {
    switch (id) {
    case clock::realtime: case clock::realtime_coarse: case clock::realtime_alarm: case clock::tai:
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(monotonic_now()) + realtime_offset());
    case clock::monotonic: case clock::monotonic_raw: case clock::monotonic_coarse: case clock::boottime: case clock::boottime_alarm: return monotonic_now();
    case clock::process_time: {
        const SandboxLock lock;
        const Times times = task.process().times();
        return times.user + times.system;
    }
    case clock::thread_time: {
        abi::ThreadInfo info{};
        (void)native::call::thread_inspect(task.thread, info);
        return info.cpu_nanoseconds;
    }
    default: return fail(Errno::EINVAL);
    }
}

// Until `deadline`. On a signal: what is left goes to `rest` (not for absolute sleeps), and the call is made again by restart_syscall.
CallResult resume_sleep(Task& task, const RestartBlock& block);

CallResult sleep_until(Task& task, abi::Deadline deadline, std::uint64_t rest) {
    SandboxLock lock;
    WaitQueue nobody;
    for (;;) {
        const auto slept = block(nobody, deadline);
        if (!slept && slept.error() == Errno::ETIMEDOUT)
            return 0;
        if (slept)
            continue;
        lock.unlock();
        const std::uint64_t now = monotonic_now();
        if (rest != 0)
            if (auto written = UserPtr<TimeSpec>(rest).write(spec(deadline > now ? deadline - now : 0)); !written)
                return fail(written.error());
        task.restart = {&resume_sleep, {deadline, rest, 0, 0}};
        return fail(Errno::ERESTART_RESTARTBLOCK);
    }
}

CallResult resume_sleep(Task& task, const RestartBlock& block) { return sleep_until(task, block.words[0], block.words[1]); }

} // namespace

CallResult sys_clock_gettime(Task& task, const CallArguments& arguments) {
    TRY(arguments.pointer<TimeSpec>(1).write(spec(TRY(read_clock(task, arguments.i32(0))))));
    return 0;
}

CallResult sys_clock_getres(Task& task, const CallArguments& arguments) {
    (void)TRY(read_clock(task, arguments.i32(0)));
    if (arguments[1] != 0)
        TRY(arguments.pointer<TimeSpec>(1).write({0, 1}));
    return 0;
}

CallResult sys_clock_settime(Task&, const CallArguments&) { return fail(Errno::EPERM); }
CallResult sys_settimeofday(Task&, const CallArguments&) { return fail(Errno::EPERM); }

CallResult sys_gettimeofday(Task& task, const CallArguments& arguments) {
    if (arguments[0] != 0) {
        const std::uint64_t now = TRY(read_clock(task, clock::realtime));
        TRY(arguments.pointer<TimeSpec>(0).write({static_cast<std::int64_t>(now / second), static_cast<std::int64_t>(now % second / 1000)}));
    }
    if (arguments[1] != 0)
        TRY(arguments.pointer<std::uint64_t>(1).write(0)); // struct timezone: UTC
    return 0;
}

CallResult sys_time(Task& task, const CallArguments& arguments) {
    const std::uint64_t now = TRY(read_clock(task, clock::realtime)) / second;
    if (arguments[0] != 0)
        TRY(arguments.pointer<std::uint64_t>(0).write(now));
    return now;
}

CallResult sys_nanosleep(Task& task, const CallArguments& arguments) {
    if (arguments[0] == 0)
        return fail(Errno::EFAULT);
    return sleep_until(task, TRY(load_timeout(arguments[0], false)), arguments[1]);
}

CallResult sys_clock_nanosleep(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t absolute = 1;
    const std::int32_t id = arguments.i32(0);
    if (id == clock::thread_time || id == clock::process_time)
        return fail(Errno::EOPNOTSUPP);
    const std::uint64_t now = TRY(read_clock(task, id));
    if (arguments[2] == 0)
        return fail(Errno::EFAULT);
    if ((arguments.i32(1) & absolute) == 0)
        return sleep_until(task, TRY(load_timeout(arguments[2], false)), arguments[3]);
    const TimeSpec wanted = TRY(arguments.pointer<TimeSpec>(2).read());
    if (wanted.seconds < 0 || wanted.nanoseconds < 0 || wanted.nanoseconds >= static_cast<std::int64_t>(second))
        return fail(Errno::EINVAL);
    if (wanted.seconds > 9'000'000'000)
        return sleep_until(task, abi::never, 0);
    const std::uint64_t until = static_cast<std::uint64_t>(wanted.seconds) * second + static_cast<std::uint64_t>(wanted.nanoseconds);
    return until <= now ? CallResult(0) : sleep_until(task, monotonic_now() + (until - now), 0);
}

} // namespace personality
