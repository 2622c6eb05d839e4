// Deadlines in their order, each of a timer that its owner keeps. Allocates nothing.
#pragma once
#include "abi/types.hpp"

#include <cstdint>

namespace native {

class Timer {
public:
    // The deadline has passed, and is set no more.
    virtual void on_time() = 0;
    bool is_set() const { return deadline_ != abi::never; }

protected:
    ~Timer() = default;

private:
    friend class Timers;
    abi::Deadline deadline_ = abi::never;
    Timer* next_ = nullptr;
};

// A timer is set to `never` before it goes.
class Timers {
public:
    // In place of what was set; abi::never: nothing any more.
    void set(Timer& timer, abi::Deadline deadline) {
        Timer** place = &first_;
        while (*place != nullptr && *place != &timer)
            place = &(*place)->next_;
        if (*place != nullptr)
            *place = timer.next_;
        timer.deadline_ = deadline;
        timer.next_ = nullptr;
        if (deadline == abi::never)
            return;
        for (place = &first_; *place != nullptr && (*place)->deadline_ <= deadline;)
            place = &(*place)->next_;
        timer.next_ = *place;
        *place = &timer;
    }
    // abi::never where none is set.
    abi::Deadline first() const { return first_ != nullptr ? first_->deadline_ : abi::never; }
    // The first of those that are due, which is set no more; null where there is none.
    Timer* take(std::uint64_t now) {
        Timer* const due = first_;
        if (due == nullptr || due->deadline_ > now)
            return nullptr;
        set(*due, abi::never);
        return due;
    }

private:
    Timer* first_ = nullptr;
};

} // namespace native
