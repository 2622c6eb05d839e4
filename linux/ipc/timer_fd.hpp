// timerfd: timers to wait on (man 2 timerfd_create). No timer of the personality runs for one: whoever waits knows by `next_event` until when to sleep.
#pragma once
#include "linux/core/file.hpp"

namespace personality {

struct TimerSetting {
    std::uint64_t value = 0;    // nanoseconds to the next expiry, 0: disarmed
    std::uint64_t interval = 0; // 0: once
};

class TimerFile final : public File {
public:
    TimerFile(bool realtime, std::uint32_t open_flags);
    // `absolute`: `setting.value` is a point of the timer's clock. Gives the old setting.
    TimerSetting set(const TimerSetting& setting, bool absolute);
    TimerSetting get() const;

    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<void> stat(KernelStat& stat) override;
    FileKind kind() const override { return FileKind::timer; }
    std::uint32_t poll() override;
    abi::Deadline next_event() override { return deadline_; }
    WaitQueue* wait_queue() override { return &queue_; }

private:
    std::uint64_t take_expiries();

    std::uint64_t deadline_ = abi::never; // monotonic
    std::uint64_t interval_ = 0;
    bool realtime_;
    WaitQueue queue_;
};

} // namespace personality
