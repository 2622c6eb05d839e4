#include "linux/ipc/timer_fd.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/ipc/clock.hpp"

#include <cstring>

namespace personality {

TimerFile::TimerFile(bool realtime, std::uint32_t open_flags) : realtime_(realtime) {
    flags = open_flag::read_write | (open_flags & open_flag::nonblock);
}

TimerSetting TimerFile::get() const {
    if (deadline_ == abi::never)
        return {0, interval_};
    const std::uint64_t now = monotonic_now();
    if (deadline_ > now)
        return {deadline_ - now, interval_};
    if (interval_ == 0)
        return {0, 0};
    return {interval_ - (now - deadline_) % interval_, interval_};
}

TimerSetting TimerFile::set(const TimerSetting& setting, bool absolute) {
    const TimerSetting old = get();
    interval_ = setting.interval;
    deadline_ = abi::never;
    if (setting.value != 0) {
        const std::uint64_t now = monotonic_now();
        if (absolute) {
            const std::int64_t at = static_cast<std::int64_t>(setting.value) - (realtime_ ? realtime_offset() : 0);
            deadline_ = at <= 0 ? 1 : static_cast<std::uint64_t>(at);
        } else {
            deadline_ = setting.value > abi::never - 1 - now ? abi::never - 1 : now + setting.value;
        }
    }
    queue_.wake();
    return old;
}

std::uint64_t TimerFile::take_expiries() {
    const std::uint64_t now = monotonic_now();
    if (deadline_ == abi::never || deadline_ > now)
        return 0;
    if (interval_ == 0) {
        deadline_ = abi::never;
        return 1;
    }
    const std::uint64_t count = 1 + (now - deadline_) / interval_;
    deadline_ += count * interval_;
    return count;
}

LinuxResult<std::size_t> TimerFile::read(std::span<std::byte> to) {
    std::uint64_t count = 0;
    if (to.size() < sizeof count)
        return fail(Errno::EINVAL);
    while ((count = take_expiries()) == 0) {
        if (nonblocking())
            return fail(Errno::EAGAIN);
        auto slept = block(queue_, deadline_);
        if (!slept && slept.error() != Errno::ETIMEDOUT)
            return fail(slept.error());
    }
    std::memcpy(to.data(), &count, sizeof count);
    return sizeof count;
}

LinuxResult<void> TimerFile::stat(KernelStat& stat) {
    anonymous_stat(stat, 1, 0600);
    return {};
}

std::uint32_t TimerFile::poll() { return deadline_ <= monotonic_now() ? poll_event::readable : 0u; }

} // namespace personality
