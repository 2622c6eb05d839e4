#include "linux/time/alarm_clock.hpp"

#include "lib/base/result.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"
#include "linux/core/lock.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/sandbox/configuration.hpp"

#include <algorithm>
#include <atomic>

namespace personality {

namespace {

// Shorter intervals are served this often and counted, so that a program cannot keep the thread, and the lock, to itself.
constexpr std::uint64_t least_sleep = 100'000;

constinit base::List<Alarm> armed;
constinit std::atomic<std::uint32_t> changes{0}; // the alarm thread sleeps on it
constinit bool running = false;

} // namespace

// Sleeps until the first alarm is due.
void serve_alarms(void*) {
    for (;;) {
        const std::uint32_t seen = changes.load(std::memory_order_acquire);
        std::uint64_t next = abi::never;
        {
            const SandboxLock lock;
            const std::uint64_t now = monotonic_now();
            for (auto at = armed.begin(); at != armed.end();) {
                Alarm& alarm = *at;
                ++at;
                if (alarm.due_ <= now)
                    alarm.expire(now);
                next = std::min(next, std::max(alarm.due_, now + least_sleep));
            }
        }
        (void)native::futex_wait(&changes, seen, next);
    }
}

void Alarm::expire(std::uint64_t now) {
    std::uint64_t count = 1;
    if (interval_ == 0) {
        due_ = abi::never;
        unlink();
    } else {
        count += (now - due_) / interval_;
        due_ += count * interval_;
    }
    ring(count);
}

LinuxResult<void> Alarm::set(const AlarmSetting& setting) {
    if (!running && setting.value != 0) {
        if (!native::start_thread(serve_alarms, nullptr, {.budget = configuration().budget}))
            return fail(Errno::ENOMEM);
        running = true;
    }
    unlink();
    due_ = abi::never;
    interval_ = setting.value == 0 ? 0 : setting.interval;
    if (setting.value == 0)
        return {};
    const std::uint64_t now = monotonic_now();
    due_ = setting.value > abi::never - 1 - now ? abi::never - 1 : now + setting.value;
    armed.push_back(*this);
    changes.fetch_add(1, std::memory_order_release);
    native::futex_wake(&changes, 1);
    return {};
}

AlarmSetting Alarm::get() const {
    if (due_ == abi::never)
        return {0, interval_};
    const std::uint64_t now = monotonic_now();
    return {due_ > now ? due_ - now : 1, interval_};
}

} // namespace personality
