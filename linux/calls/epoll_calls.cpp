// epoll_create, epoll_ctl, epoll_wait and their relatives.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/calls/waiting.hpp"
#include "linux/ipc/epoll.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {

struct [[gnu::packed]] GuestEvent { // struct epoll_event of x86_64
    std::uint32_t events;
    std::uint64_t data;
};
static_assert(sizeof(GuestEvent) == 12);
constexpr std::uint32_t add = 1, remove = 2, modify = 3;

CallResult create(Task& task, bool close_on_exec) {
    auto* file = new (std::nothrow) EpollFile;
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    SandboxLock lock;
    return install_file(task, base::Ref<File>::adopt(*file), close_on_exec);
}

CallResult wait(Task& task, std::int32_t descriptor, std::uint64_t address, std::int32_t count, abi::Deadline deadline) {
    constexpr std::int32_t largest = INT32_MAX / static_cast<std::int32_t>(sizeof(GuestEvent));
    constexpr std::size_t at_once = 128;
    if (count <= 0 || count > largest)
        return fail(Errno::EINVAL);
    if (!user_range(address, static_cast<std::uint64_t>(count) * sizeof(GuestEvent)))
        return fail(Errno::EFAULT);
    EpollEvent events[at_once];
    std::size_t found = 0;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(file_of(task, descriptor));
        EpollFile* epoll = EpollFile::from(*file);
        if (epoll == nullptr)
            return fail(Errno::EINVAL);
        const std::span<EpollEvent> room(events, std::min<std::size_t>(at_once, static_cast<std::size_t>(count)));
        while ((found = epoll->collect(room)) == 0 && deadline != abi::poll) {
            auto slept = epoll->wait(deadline);
            if (!slept && slept.error() == Errno::ETIMEDOUT) {
                found = epoll->collect(room);
                break;
            }
            if (!slept)
                return fail(slept.error() == Errno::ERESTARTSYS ? Errno::EINTR : slept.error());
        }
    }
    GuestEvent out[at_once];
    for (std::size_t i = 0; i < found; ++i)
        out[i] = {events[i].events, events[i].data};
    TRY(copy_out(address, std::as_bytes(std::span(out).first(found))));
    return found;
}

abi::Deadline milliseconds(std::int32_t value) { return value < 0 ? abi::never : deadline_after(static_cast<std::uint64_t>(value) * 1'000'000); }

} // namespace

CallResult sys_epoll_create(Task& task, const CallArguments& arguments) {
    if (arguments.i32(0) <= 0)
        return fail(Errno::EINVAL);
    return create(task, false);
}

CallResult sys_epoll_create1(Task& task, const CallArguments& arguments) {
    if ((arguments.u32(0) & ~open_flag::close_on_exec) != 0)
        return fail(Errno::EINVAL);
    return create(task, arguments.u32(0) != 0);
}

CallResult sys_epoll_ctl(Task& task, const CallArguments& arguments) {
    const std::uint32_t operation = arguments.u32(1);
    GuestEvent event{};
    if (operation != remove)
        event = TRY(arguments.pointer<GuestEvent>(3).read());
    SandboxLock lock;
    base::Ref<File> own = TRY(file_of(task, arguments.i32(0)));
    base::Ref<File> file = TRY(file_of(task, arguments.i32(2)));
    EpollFile* epoll = EpollFile::from(*own);
    if ((file->flags & open_flag::path) != 0)
        return fail(Errno::EBADF);
    if (file->wait_queue() == nullptr)
        return fail(Errno::EPERM);
    if (epoll == nullptr || own == file)
        return fail(Errno::EINVAL);
    const EpollEvent wanted{event.events, event.data};
    switch (operation) {
    case add: TRY(epoll->add(arguments.i32(2), *file, wanted)); break;
    case modify: TRY(epoll->modify(arguments.i32(2), *file, wanted)); break;
    case remove: TRY(epoll->remove(arguments.i32(2), *file)); break;
    default: return fail(Errno::EINVAL);
    }
    return std::uint64_t{0};
}

CallResult sys_epoll_wait(Task& task, const CallArguments& arguments) {
    return wait(task, arguments.i32(0), arguments[1], arguments.i32(2), milliseconds(arguments.i32(3)));
}

CallResult sys_epoll_pwait(Task& task, const CallArguments& arguments) {
    TRY(load_signal_mask(task, arguments[4], arguments[5]));
    return sys_epoll_wait(task, arguments);
}

CallResult sys_epoll_pwait2(Task& task, const CallArguments& arguments) {
    const abi::Deadline deadline = TRY(load_timeout(arguments[3], false));
    TRY(load_signal_mask(task, arguments[4], arguments[5]));
    return wait(task, arguments.i32(0), arguments[1], arguments.i32(2), deadline);
}

} // namespace personality
