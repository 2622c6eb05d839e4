#include "linux/ipc/event_fd.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"

#include <cstring>

namespace personality {

namespace {
constexpr std::uint64_t largest = UINT64_MAX - 1;
}

EventFile::EventFile(std::uint64_t count, bool semaphore, std::uint32_t open_flags) : count_(count), semaphore_(semaphore) {
    flags = open_flag::read_write | (open_flags & open_flag::nonblock);
}

LinuxResult<std::size_t> EventFile::read(std::span<std::byte> to) {
    if (to.size() < sizeof count_)
        return fail(Errno::EINVAL);
    while (count_ == 0) {
        if (nonblocking())
            return fail(Errno::EAGAIN);
        TRY(block(queue_));
    }
    const std::uint64_t taken = semaphore_ ? 1 : count_;
    count_ -= taken;
    std::memcpy(to.data(), &taken, sizeof taken);
    queue_.wake(poll_event::writable);
    return sizeof taken;
}

LinuxResult<std::size_t> EventFile::write(std::span<const std::byte> from) {
    std::uint64_t added = 0;
    if (from.size() < sizeof added)
        return fail(Errno::EINVAL);
    std::memcpy(&added, from.data(), sizeof added);
    if (added == UINT64_MAX)
        return fail(Errno::EINVAL);
    while (added > largest - count_) {
        if (nonblocking())
            return fail(Errno::EAGAIN);
        TRY(block(queue_));
    }
    count_ += added;
    queue_.wake(poll_event::readable);
    return sizeof added;
}

LinuxResult<void> EventFile::stat(KernelStat& stat) {
    anonymous_stat(stat, 1, 0600);
    return {};
}

std::uint32_t EventFile::poll() {
    return (count_ != 0 ? poll_event::readable : 0u) | (count_ < largest ? poll_event::writable : 0u);
}

} // namespace personality
