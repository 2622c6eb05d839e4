#include "linux/time/timers.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"
#include "linux/calls/call.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/task.hpp"

#include <atomic>

namespace personality {

// ITIMER_REAL of a process. In the list of the timer thread while it is armed. Sandbox lock.
class PosixTimers : public base::ListNode {
public:
    explicit PosixTimers(Process& process) : process(process) {}
    Process& process;
    std::uint64_t due = abi::never;
    std::uint64_t interval = 0;
};

namespace {

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000, nanoseconds_per_microsecond = 1000;

constinit base::List<PosixTimers> armed;
constinit std::atomic<std::uint32_t> changes{0}; // the timer thread sleeps on it
constinit bool running = false;

void expire(PosixTimers& timer, std::uint64_t now) {
    SignalInfo info;
    info.number = signal_number::alarm;
    info.code = signal_code::kernel;
    if (timer.interval == 0) {
        timer.due = abi::never;
        armed.remove(timer);
    } else {
        timer.due += (now - timer.due) / timer.interval * timer.interval + timer.interval;
    }
    send_signal(timer.process, info);
}

// One thread for all: it sleeps until the first timer is due.
void run_timers(void*) {
    for (;;) {
        const std::uint32_t seen = changes.load(std::memory_order_acquire);
        std::uint64_t next = abi::never;
        {
            const SandboxLock lock;
            const std::uint64_t now = monotonic_now();
            for (auto at = armed.begin(); at != armed.end();) {
                PosixTimers& timer = *at;
                ++at;
                if (timer.due <= now)
                    expire(timer, now);
                if (timer.due < next)
                    next = timer.due;
            }
        }
        (void)native::futex_wait(&changes, seen, next);
    }
}

LinuxResult<PosixTimers*> timers_of(Process& process) {
    if (process.timers == nullptr)
        process.timers = new (std::nothrow) PosixTimers(process);
    if (process.timers == nullptr)
        return fail(Errno::ENOMEM);
    if (!running) {
        if (!native::start_thread(run_timers, nullptr))
            return fail(Errno::ENOMEM);
        running = true;
    }
    return process.timers;
}

struct Setting {
    std::uint64_t value = 0, interval = 0; // nanoseconds
};

// Lock held. Gives the old setting.
LinuxResult<Setting> set(Process& process, const Setting* fresh) {
    const std::uint64_t now = monotonic_now();
    Setting old;
    if (process.timers != nullptr && process.timers->due != abi::never)
        old = {process.timers->due > now ? process.timers->due - now : 1, process.timers->interval};
    if (fresh == nullptr)
        return old;
    PosixTimers* const timer = TRY(timers_of(process));
    if (timer->due != abi::never)
        armed.remove(*timer);
    timer->due = fresh->value == 0 ? abi::never : now + fresh->value;
    timer->interval = fresh->interval;
    if (timer->due != abi::never)
        armed.push_back(*timer);
    changes.fetch_add(1, std::memory_order_release);
    native::futex_wake(&changes, 1);
    return old;
}

struct RawSetting {
    std::int64_t interval_seconds, interval_microseconds, seconds, microseconds;
};

RawSetting raw(const Setting& setting) {
    const auto seconds = [](std::uint64_t value) { return static_cast<std::int64_t>(value / nanoseconds_per_second); };
    const auto rest = [](std::uint64_t value) { return static_cast<std::int64_t>(value % nanoseconds_per_second / nanoseconds_per_microsecond); };
    return {seconds(setting.interval), rest(setting.interval), seconds(setting.value), rest(setting.value)};
}

} // namespace

void drop_timers(Process& process) {
    if (process.timers == nullptr)
        return;
    if (process.timers->due != abi::never)
        armed.remove(*process.timers);
    delete process.timers;
    process.timers = nullptr;
}

void drop_timers_of_clock(Process&) {}

LinuxResult<std::uint64_t> sys_alarm(Task& task, const CallArguments& arguments) {
    const SandboxLock lock;
    const Setting fresh{arguments.u32(0) * nanoseconds_per_second, 0};
    const Setting old = TRY(set(task.process(), &fresh));
    return (old.value + nanoseconds_per_second / 2) / nanoseconds_per_second;
}

LinuxResult<std::uint64_t> sys_getitimer(Task& task, const CallArguments& arguments) {
    if (arguments.u32(0) > 2)
        return fail(Errno::EINVAL);
    Setting now;
    if (arguments.u32(0) == 0) {
        const SandboxLock lock;
        now = TRY(set(task.process(), nullptr));
    }
    TRY(arguments.pointer<RawSetting>(1).write(raw(now)));
    return 0;
}

LinuxResult<std::uint64_t> sys_setitimer(Task& task, const CallArguments& arguments) {
    if (arguments.u32(0) > 2)
        return fail(Errno::EINVAL);
    if (arguments.u32(0) != 0)
        return fail(Errno::ENOSYS); // timers of processor time
    RawSetting given{};
    if (arguments[1] != 0)
        given = TRY(arguments.pointer<RawSetting>(1).read());
    const auto bad = [](std::int64_t seconds, std::int64_t microseconds) { return seconds < 0 || microseconds < 0 || microseconds >= 1'000'000; };
    if (bad(given.seconds, given.microseconds) || bad(given.interval_seconds, given.interval_microseconds))
        return fail(Errno::EINVAL);
    const auto nanoseconds = [](std::int64_t seconds, std::int64_t microseconds) {
        constexpr std::int64_t most = 9'000'000'000;
        return static_cast<std::uint64_t>(seconds > most ? most : seconds) * nanoseconds_per_second + static_cast<std::uint64_t>(microseconds) * nanoseconds_per_microsecond;
    };
    const Setting fresh{nanoseconds(given.seconds, given.microseconds), nanoseconds(given.interval_seconds, given.interval_microseconds)};
    Setting old;
    {
        const SandboxLock lock;
        old = TRY(set(task.process(), &fresh));
    }
    if (arguments[2] != 0)
        TRY(arguments.pointer<RawSetting>(2).write(raw(old)));
    return 0;
}

} // namespace personality
