// Processor time and other use of resources (man 2 getrusage, times).
#include "lib/native/kernel.hpp"
#include "linux/calls/table.hpp"
#include "linux/calls/usage.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/task/task.hpp"

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

struct TimeValue {
    std::int64_t seconds, microseconds;
};
struct Usage { // struct rusage
    TimeValue user, system;
    std::int64_t resident, shared_text, data, stack, minor_faults, major_faults, swaps, blocks_in, blocks_out, messages_sent, messages_received, signals,
        voluntary_switches, involuntary_switches;
};
static_assert(sizeof(Usage) == 144);

TimeValue time_value(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / 1'000'000'000), static_cast<std::int64_t>(nanoseconds % 1'000'000'000 / 1000)};
}

} // namespace

LinuxResult<void> write_usage(std::uint64_t address, const Times& times, std::uint64_t minor_faults, std::uint64_t voluntary_switches) {
    if (address == 0)
        return {};
    Usage usage{};
    usage.user = time_value(times.user);
    usage.system = time_value(times.system);
    usage.minor_faults = static_cast<std::int64_t>(minor_faults);
    usage.voluntary_switches = static_cast<std::int64_t>(voluntary_switches);
    return UserPtr<Usage>(address).write(usage);
}

CallResult sys_getrusage(Task& task, const CallArguments& arguments) {
    constexpr std::int32_t children = -1, self = 0, thread = 1;
    const std::int32_t who = arguments.i32(0);
    if (who != children && who != self && who != thread)
        return fail(Errno::EINVAL);
    if (arguments[1] == 0)
        return fail(Errno::EFAULT);
    Times times;
    std::uint64_t faults = 0, switches = 0;
    {
        const SandboxLock lock;
        Process& process = task.process();
        if (who == children) {
            times = process.children_times;
        } else if (who == self) {
            times = process.times();
            for (const Task& one : process.threads) {
                faults += one.minor_faults;
                switches += one.voluntary_switches;
            }
        } else {
            abi::ThreadInfo info{};
            if (native::call::thread_inspect(task.thread, info))
                times.user = info.cpu_nanoseconds;
            faults = task.minor_faults;
            switches = task.voluntary_switches;
        }
    }
    TRY(write_usage(arguments[1], times, faults, switches));
    return 0;
}

CallResult sys_times(Task& task, const CallArguments& arguments) {
    constexpr std::uint64_t tick = 10'000'000; // nanoseconds
    struct Ticks { // struct tms
        std::uint64_t user, system, children_user, children_system;
    };
    if (arguments[0] != 0) {
        Times own, children;
        {
            const SandboxLock lock;
            own = task.process().times();
            children = task.process().children_times;
        }
        TRY(arguments.pointer<Ticks>(0).write({own.user / tick, own.system / tick, children.user / tick, children.system / tick}));
    }
    return monotonic_now() / tick;
}

} // namespace personality
