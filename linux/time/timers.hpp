// The interval timer and the POSIX timers of a process (man 2 setitimer, timer_create).
#pragma once
#include "linux/task/process.hpp"
#include "linux/time/alarm_clock.hpp"

#include <array>
#include <memory>

namespace personality {

// ITIMER_REAL: SIGALRM for the process.
class IntervalTimer final : public Alarm {
public:
    explicit IntervalTimer(Process& process) : process_(process) {}

protected:
    void ring(std::uint64_t count) override;

private:
    Process& process_;
};

// A timer of timer_create.
class PosixTimer final : public Alarm {
public:
    enum class Notice : std::uint8_t { none, process, thread };
    struct Target {
        Notice notice = Notice::process;
        std::int32_t signal = 0;
        std::int32_t tid = 0; // of Notice::thread
        std::uint64_t value = 0;
    };
    PosixTimer(Process& process, std::int32_t id, bool realtime, const Target& target) : process_(process), id_(id), realtime_(realtime), target_(target) {}

    bool realtime() const { return realtime_; }
    // Expiries that the last signal that was taken stood for, without the first.
    std::int32_t overrun() const { return taken_overrun_; }
    void taken(std::int32_t overrun) { taken_overrun_ = overrun; }

protected:
    void ring(std::uint64_t count) override;

private:
    Process& process_;
    std::int32_t id_;
    bool realtime_;
    Target target_;
    std::int32_t overrun_ = 0; // of the signal that is pending
    std::int32_t taken_overrun_ = 0;
};

// Of one process. Sandbox lock.
class ProcessTimers {
public:
    static constexpr std::int32_t most = 256; // of timer_create

    explicit ProcessTimers(Process& process) : interval(process) {}
    IntervalTimer interval;
    std::array<std::unique_ptr<PosixTimer>, most> posix;
};

// The process' timers, made where there are none yet. ENOMEM. Sandbox lock.
LinuxResult<ProcessTimers*> timers_of(Process& process);
// Takes a signal that is pending for the task or its process; a timer learns that its own was. False where there is none. Sandbox lock.
bool take_signal(Task& task, SignalSet wanted, SignalInfo& info);
// The process ends. Sandbox lock.
void drop_timers(Process& process);
// exec: the POSIX timers go, the interval timer stays. Sandbox lock.
void drop_posix_timers(Process& process);

} // namespace personality
