#include "linux/sandbox/stream_file.hpp"

#include "linux/fs/anonymous.hpp"
#include "linux/fs/constants.hpp"
#include "linux/fs/ioctl.hpp"

#include <algorithm>
#include <new>

namespace personality {

LinuxResult<base::Ref<File>> StreamFile::attach(const ring::Handles& handles, ring::Side side, std::uint32_t open_flags) {
    auto pair = ring::Pair::attach(handles, abi::RingUse::bytes, side);
    if (!pair)
        return fail(pair.error() == abi::Error::no_memory ? Errno::ENOMEM : Errno::EIO);
    auto* file = new (std::nothrow) StreamFile(std::move(*pair));
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<StreamFile>::adopt(*file);
    file->flags = open_flags;
    file->bell_ = TRY(add_bell(file->pair_.bell(), *file));
    return base::Ref<File>(std::move(reference));
}

StreamFile::~StreamFile() {
    if (bell_ != 0)
        remove_bell(bell_, pair_.bell());
    pair_.hang_up();
}

LinuxResult<std::size_t> StreamFile::read(std::span<std::byte> to) {
    if (!may_read())
        return fail(Errno::EBADF);
    if (to.empty())
        return std::size_t{0};
    for (;;) {
        const auto count = pair_.in().read(to);
        if (!count)
            return fail(Errno::EIO);
        if (*count != 0) {
            pair_.wake_after_read();
            return *count;
        }
        if (pair_.in().ended())
            return std::size_t{0};
        // Asks for the bell, also for who does not wait here: an edge-triggered epoll looks again only when it rings.
        if (!pair_.in().must_wait())
            continue;
        if (nonblocking())
            return fail(Errno::EAGAIN);
        TRY(block(queue_));
    }
}

LinuxResult<std::size_t> StreamFile::write(std::span<const std::byte> from) {
    if (!may_write())
        return fail(Errno::EBADF);
    std::size_t done = 0;
    while (done < from.size()) {
        const auto count = pair_.out().write(from.subspan(done));
        if (!count)
            return done != 0 ? LinuxResult<std::size_t>(done) : fail(count.error() == abi::Error::peer_closed ? Errno::EPIPE : Errno::EIO);
        if (*count != 0) {
            done += *count;
            pair_.wake_after_write();
            continue;
        }
        // A page's worth of room at a time, so that two fast sides do not wake each other for every byte. The bell is asked for also where nobody waits here:
        // an edge-triggered epoll looks again only when it rings.
        if (!pair_.out().must_wait(std::min<std::uint64_t>(from.size() - done, abi::page_size)))
            continue;
        if (nonblocking())
            return done != 0 ? LinuxResult<std::size_t>(done) : fail(Errno::EAGAIN);
        if (auto slept = block(queue_); !slept)
            return done != 0 ? LinuxResult<std::size_t>(done) : fail(slept.error());
    }
    return done;
}

LinuxResult<void> StreamFile::stat(KernelStat& stat) {
    anonymous_stat(stat, bell_, mode::fifo | 0600);
    return {};
}

LinuxResult<std::uint64_t> StreamFile::ioctl(std::uint32_t request, std::uint64_t argument) {
    if (request != ioctl_request::bytes_readable)
        return File::ioctl(request, argument);
    const auto available = pair_.in().available();
    *ioctl_argument<std::int32_t>(argument) = static_cast<std::int32_t>(available ? *available : 0);
    return std::uint64_t{0};
}

// Also asks for the bell, so that whoever waits on the queue hears of the change.
std::uint32_t StreamFile::poll() {
    std::uint32_t events = 0;
    if (may_read()) {
        if (!pair_.in().must_wait()) {
            const auto available = pair_.in().available();
            if (available && *available != 0)
                events |= poll_event::readable;
            if (pair_.in().ended())
                events |= poll_event::hang_up;
        }
    }
    if (may_write()) {
        if (!pair_.out().must_wait(1)) {
            const auto room = pair_.out().room();
            events |= room ? poll_event::writable : poll_event::error;
        }
    }
    return events;
}

} // namespace personality
