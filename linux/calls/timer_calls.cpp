// Timers that send signals (man 2 setitimer, timer_create).
#include "lib/base/result.hpp"
#include "linux/calls/table.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/task/table.hpp"
#include "linux/time/timers.hpp"

#include <new>

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::int64_t most_seconds = 9'000'000'000; // what fits nanoseconds of 64 bits

// struct itimerval and struct itimerspec: seconds, and the part of a second in units of `1 second / parts`.
struct RawSetting {
    std::int64_t interval_seconds, interval_part, seconds, part;
};

LinuxResult<std::uint64_t> nanoseconds(std::int64_t seconds, std::int64_t part, std::int64_t parts) {
    if (seconds < 0 || part < 0 || part >= parts)
        return fail(Errno::EINVAL);
    return static_cast<std::uint64_t>(seconds > most_seconds ? most_seconds : seconds) * second + static_cast<std::uint64_t>(part) * (second / static_cast<std::uint64_t>(parts));
}

LinuxResult<AlarmSetting> load(const RawSetting& raw, std::int64_t parts) {
    return AlarmSetting{TRY(nanoseconds(raw.seconds, raw.part, parts)), TRY(nanoseconds(raw.interval_seconds, raw.interval_part, parts))};
}

RawSetting raw(const AlarmSetting& setting, std::uint64_t parts) {
    const auto whole = [](std::uint64_t value) { return static_cast<std::int64_t>(value / second); };
    const auto part = [&](std::uint64_t value) { return static_cast<std::int64_t>(value % second / (second / parts)); };
    return {whole(setting.interval), part(setting.interval), whole(setting.value), part(setting.value)};
}

constexpr std::int64_t micro = 1'000'000, nano = 1'000'000'000;

// Gives the old setting. Sandbox lock held.
LinuxResult<AlarmSetting> exchange(Process& process, const AlarmSetting& fresh) {
    ProcessTimers* const timers = TRY(timers_of(process));
    const AlarmSetting old = timers->interval.get();
    TRY(timers->interval.set(fresh));
    return old;
}

// The timer that a call names. EINVAL. Sandbox lock held.
LinuxResult<PosixTimer*> posix_timer(Task& task, std::int32_t id) {
    const ProcessTimers* const timers = task.process().timers;
    if (timers == nullptr || id < 0 || id >= ProcessTimers::most || timers->posix[static_cast<unsigned>(id)] == nullptr)
        return fail(Errno::EINVAL);
    return timers->posix[static_cast<unsigned>(id)].get();
}

struct SignalEvent { // struct sigevent
    std::uint64_t value;
    std::int32_t signal, notify, tid;
    std::uint8_t rest[44];
};
static_assert(sizeof(SignalEvent) == 64);

LinuxResult<PosixTimer::Target> load_target(Task& task, const SignalEvent& event) {
    constexpr std::int32_t by_signal = 0, none = 1, by_thread = 2, thread_id = 4;
    PosixTimer::Target target;
    target.value = event.value;
    target.signal = event.signal;
    if (event.notify == none) {
        target.notice = PosixTimer::Notice::none;
        return target;
    }
    if (event.notify == thread_id) {
        const SandboxLock lock;
        const Task* const other = find_task(event.tid);
        if (other == nullptr || &other->process() != &task.process())
            return fail(Errno::EINVAL);
        target.notice = PosixTimer::Notice::thread;
        target.tid = event.tid;
    } else if (event.notify != by_signal && event.notify != by_thread) {
        return fail(Errno::EINVAL);
    }
    if (!valid_signal(event.signal))
        return fail(Errno::EINVAL);
    return target;
}

// Whether the clock is one of real time. EINVAL: no clock; EOPNOTSUPP: one without timers; EPERM: one that wakes a machine.
LinuxResult<bool> timer_clock(std::int32_t clock) {
    constexpr std::int32_t realtime = 0, monotonic = 1, boot = 7, realtime_alarm = 8, boot_alarm = 9, tai = 11;
    switch (clock) {
    case realtime: case tai: return true;
    case monotonic: case boot: return false;
    case realtime_alarm: case boot_alarm: return fail(Errno::EPERM);
    default: return fail(clock > tai || clock == 10 ? Errno::EINVAL : Errno::EOPNOTSUPP);
    }
}

} // namespace

CallResult sys_alarm(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    const AlarmSetting old = TRY(exchange(task.process(), {arguments.u32(0) * second, 0}));
    // Rounded, but what is left is never shown as nothing.
    return old.value != 0 && old.value < second / 2 ? 1 : (old.value + second / 2) / second;
}

CallResult sys_getitimer(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t real = 0, last = 2;
    if (arguments.u32(0) > last)
        return fail(Errno::EINVAL);
    AlarmSetting now;
    if (arguments.u32(0) == real) {
        const SandboxLock lock;
        if (task.process().timers != nullptr)
            now = task.process().timers->interval.get();
    }
    TRY(arguments.pointer<RawSetting>(1).write(raw(now, micro)));
    return 0;
}

CallResult sys_setitimer(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t real = 0, last = 2;
    if (arguments.u32(0) > last)
        return fail(Errno::EINVAL);
    if (arguments.u32(0) != real)
        return fail(Errno::ENOSYS); // timers of processor time
    RawSetting given{};
    if (arguments[1] != 0)
        given = TRY(arguments.pointer<RawSetting>(1).read());
    const AlarmSetting fresh = TRY(load(given, micro));
    AlarmSetting old;
    {
        const SandboxLock lock;
        old = TRY(exchange(task.process(), fresh));
    }
    if (arguments[2] != 0)
        TRY(arguments.pointer<RawSetting>(2).write(raw(old, micro)));
    return 0;
}

CallResult sys_timer_create(Task& task, const CallArguments& arguments) {
    const bool realtime = TRY(timer_clock(arguments.i32(0)));
    PosixTimer::Target target;
    target.signal = signal_number::alarm;
    if (arguments[1] != 0)
        target = TRY(load_target(task, TRY(arguments.pointer<SignalEvent>(1).read())));
    std::int32_t id = 0;
    {
        const SandboxLock lock;
        ProcessTimers* const timers = TRY(timers_of(task.process()));
        while (id < ProcessTimers::most && timers->posix[static_cast<unsigned>(id)] != nullptr)
            ++id;
        if (id == ProcessTimers::most)
            return fail(Errno::EAGAIN);
        if (arguments[1] == 0)
            target.value = static_cast<std::uint32_t>(id);
        timers->posix[static_cast<unsigned>(id)].reset(new (std::nothrow) PosixTimer(task.process(), id, realtime, target));
        if (timers->posix[static_cast<unsigned>(id)] == nullptr)
            return fail(Errno::EAGAIN);
    }
    if (auto written = arguments.pointer<std::int32_t>(2).write(id); !written) {
        const SandboxLock lock;
        if (task.process().timers != nullptr)
            task.process().timers->posix[static_cast<unsigned>(id)] = nullptr;
        return fail(written.error());
    }
    return 0;
}

CallResult sys_timer_settime(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t absolute = 1;
    if (arguments[2] == 0)
        return fail(Errno::EINVAL);
    AlarmSetting fresh = TRY(load(TRY(arguments.pointer<RawSetting>(2).read()), nano));
    AlarmSetting old;
    {
        const SandboxLock lock;
        PosixTimer* const timer = TRY(posix_timer(task, arguments.i32(0)));
        old = timer->get();
        if ((arguments.u32(1) & absolute) != 0 && fresh.value != 0) {
            const std::int64_t now = static_cast<std::int64_t>(monotonic_now()) + (timer->realtime() ? realtime_offset() : 0);
            const std::int64_t left = static_cast<std::int64_t>(fresh.value) - now;
            fresh.value = left > 0 ? static_cast<std::uint64_t>(left) : 1; // what has passed rings at once
        }
        TRY(timer->set(fresh));
    }
    if (arguments[3] != 0)
        TRY(arguments.pointer<RawSetting>(3).write(raw(old, nano)));
    return 0;
}

CallResult sys_timer_gettime(Task& task, const CallArguments& arguments) {
    AlarmSetting now;
    {
        const SandboxLock lock;
        now = TRY(posix_timer(task, arguments.i32(0)))->get();
    }
    TRY(arguments.pointer<RawSetting>(1).write(raw(now, nano)));
    return 0;
}

CallResult sys_timer_getoverrun(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    return static_cast<std::uint64_t>(TRY(posix_timer(task, arguments.i32(0)))->overrun());
}

CallResult sys_timer_delete(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    (void)TRY(posix_timer(task, arguments.i32(0)));
    task.process().timers->posix[static_cast<unsigned>(arguments.i32(0))] = nullptr;
    return 0;
}

} // namespace personality
