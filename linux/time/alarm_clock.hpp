// Alarms: what is to happen at a point of time. One native thread of the sandbox serves them all.
#pragma once
#include "abi/types.hpp"
#include "lib/base/list.hpp"
#include "linux/core/errno.hpp"

#include <cstdint>

namespace personality {

// A value and an interval in nanoseconds; 0 is none.
struct AlarmSetting {
    std::uint64_t value = 0, interval = 0;
};

// One alarm, once or periodic. Sandbox lock for all members.
class Alarm : public base::ListNode {
public:
    virtual ~Alarm() = default; // leaves the list of armed ones

    // Rings `setting.value` nanoseconds from now, then each `setting.interval`. ENOMEM: the thread could not be started; nothing has changed.
    LinuxResult<void> set(const AlarmSetting& setting);
    // What is left, at least one nanosecond while it is armed.
    AlarmSetting get() const;

protected:
    // `count`: how many expiries this one stands for. Called by the alarm thread, with the sandbox lock; must not destroy the alarm.
    virtual void ring(std::uint64_t count) = 0;

private:
    friend void serve_alarms(void*);
    void expire(std::uint64_t now);

    abi::Deadline due_ = abi::never;
    std::uint64_t interval_ = 0;
};

} // namespace personality
