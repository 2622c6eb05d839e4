// Files without a name: pipes, eventfd, timerfd, memfd.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/fs/memory_file.hpp"
#include "linux/ipc/event_fd.hpp"
#include "linux/ipc/pipe.hpp"
#include "linux/ipc/timer_fd.hpp"

#include <cstring>
#include <new>

namespace personality {

namespace {

CallResult make_pipe_at(Task& task, std::uint64_t address, std::uint32_t flags) {
    if ((flags & ~(open_flag::close_on_exec | open_flag::nonblock | open_flag::direct)) != 0)
        return fail(Errno::EINVAL);
    std::int32_t numbers[2];
    {
        SandboxLock lock;
        PipeEnds ends = TRY(make_pipe(flags));
        FdTable& files = files_of(task);
        const bool close_on_exec = (flags & open_flag::close_on_exec) != 0;
        numbers[0] = TRY(files.install(std::move(ends.read), close_on_exec, descriptor_limit(task)));
        auto second = files.install(std::move(ends.write), close_on_exec, descriptor_limit(task));
        if (!second) {
            (void)files.close(numbers[0]);
            return fail(second.error());
        }
        numbers[1] = *second;
    }
    if (auto copied = copy_out(address, std::as_bytes(std::span(numbers))); !copied) {
        SandboxLock lock;
        (void)files_of(task).close(numbers[0]);
        (void)files_of(task).close(numbers[1]);
        return fail(copied.error());
    }
    return std::uint64_t{0};
}

template <class T> CallResult install_new(Task& task, T* file, bool close_on_exec) {
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    SandboxLock lock;
    return install_file(task, base::Ref<File>::adopt(*file), close_on_exec);
}

CallResult make_event(Task& task, std::uint32_t count, std::uint32_t flags) {
    if ((flags & ~(1u | open_flag::nonblock | open_flag::close_on_exec)) != 0)
        return fail(Errno::EINVAL);
    return install_new(task, new (std::nothrow) EventFile(count, (flags & 1) != 0, flags), (flags & open_flag::close_on_exec) != 0);
}

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};
struct TimerSpec { // struct itimerspec
    TimeSpec interval, value;
};
constexpr std::int64_t second = 1'000'000'000;

TimeSpec time_spec(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / second), static_cast<std::int64_t>(nanoseconds % second)};
}
LinuxResult<std::uint64_t> nanoseconds(const TimeSpec& time) {
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= second)
        return fail(Errno::EINVAL);
    if (time.seconds > 9'000'000'000)
        return static_cast<std::uint64_t>(9'000'000'000 * second);
    return static_cast<std::uint64_t>(time.seconds * second + time.nanoseconds);
}
LinuxResult<TimerFile*> timer_of(File& file) {
    if (file.kind() != FileKind::timer)
        return fail(Errno::EINVAL);
    return &static_cast<TimerFile&>(file);
}

} // namespace

CallResult sys_pipe(Task& task, const CallArguments& arguments) { return make_pipe_at(task, arguments[0], 0); }
CallResult sys_pipe2(Task& task, const CallArguments& arguments) { return make_pipe_at(task, arguments[0], arguments.u32(1)); }
CallResult sys_eventfd(Task& task, const CallArguments& arguments) { return make_event(task, arguments.u32(0), 0); }
CallResult sys_eventfd2(Task& task, const CallArguments& arguments) { return make_event(task, arguments.u32(0), arguments.u32(1)); }

CallResult sys_timerfd_create(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t realtime = 0, monotonic = 1, boot = 7, realtime_alarm = 8, boot_alarm = 9;
    const std::uint32_t clock = arguments.u32(0), flags = arguments.u32(1);
    if ((flags & ~(open_flag::nonblock | open_flag::close_on_exec)) != 0)
        return fail(Errno::EINVAL);
    if (clock == realtime_alarm || clock == boot_alarm)
        return fail(Errno::EPERM); // needs CAP_WAKE_ALARM
    if (clock != realtime && clock != monotonic && clock != boot)
        return fail(Errno::EINVAL);
    return install_new(task, new (std::nothrow) TimerFile(clock == realtime, flags), (flags & open_flag::close_on_exec) != 0);
}

CallResult sys_timerfd_settime(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t absolute = 1, cancel_on_set = 2;
    const TimerSpec wanted = TRY(arguments.pointer<TimerSpec>(2).read());
    if ((arguments.u32(1) & ~(absolute | cancel_on_set)) != 0)
        return fail(Errno::EINVAL);
    const TimerSetting setting{TRY(nanoseconds(wanted.value)), TRY(nanoseconds(wanted.interval))};
    TimerSetting old;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
        TimerFile* timer = TRY(timer_of(*file));
        old = timer->set(setting, (arguments.u32(1) & absolute) != 0);
    }
    if (arguments[3] != 0)
        TRY(arguments.pointer<TimerSpec>(3).write({time_spec(old.interval), time_spec(old.value)}));
    return std::uint64_t{0};
}

CallResult sys_timerfd_gettime(Task& task, const CallArguments& arguments) {
    TimerSetting now;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
        TimerFile* timer = TRY(timer_of(*file));
        now = timer->get();
    }
    TRY(arguments.pointer<TimerSpec>(1).write({time_spec(now.interval), time_spec(now.value)}));
    return std::uint64_t{0};
}

CallResult sys_memfd_create(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t close_on_exec = 1, allow_sealing = 2, no_exec_seal = 8, exec = 16;
    const std::uint32_t flags = arguments.u32(1);
    if ((flags & ~(close_on_exec | allow_sealing | no_exec_seal | exec)) != 0)
        return fail(Errno::EINVAL);
    char name[251] = "memfd:";
    auto length = copy_string(std::span(name).subspan(6), arguments[0]);
    if (!length)
        return fail(length.error() == Errno::ENAMETOOLONG ? Errno::EINVAL : length.error());
    SandboxLock lock;
    base::Ref<File> file = TRY(make_memory_file({name, 6 + *length}, (flags & (allow_sealing | no_exec_seal)) != 0));
    return install_file(task, std::move(file), (flags & close_on_exec) != 0);
}

} // namespace personality
