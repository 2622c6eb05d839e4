// So many at once, and so many a second from then on.
#pragma once
#include <algorithm>
#include <cstdint>

namespace base {

class RateLimit {
public:
    constexpr RateLimit(std::uint64_t burst, std::uint64_t per_second) : interval_(1'000'000'000 / per_second), room_(burst * interval_) {}

    // Whether there is one more; it is used up then. `now`: nanoseconds of a clock that does not go back.
    bool take(std::uint64_t now) {
        const std::uint64_t full = std::max(full_at_, now) + interval_;
        if (full - now > room_)
            return false;
        full_at_ = full;
        return true;
    }

    // As many as there are, `most` at most; gives how many.
    std::uint64_t take_some(std::uint64_t most, std::uint64_t now) {
        const std::uint64_t used = full_at_ > now ? full_at_ - now : 0;
        const std::uint64_t count = used >= room_ ? 0 : std::min(most, (room_ - used) / interval_);
        if (count != 0) full_at_ = now + used + count * interval_;
        return count;
    }
    // So many of what was taken were not needed.
    void give_back(std::uint64_t count) { full_at_ -= std::min(full_at_, count * interval_); }

    // Whether take() would find one.
    bool has(std::uint64_t now) const { return std::max(full_at_, now) + interval_ - now <= room_; }
    // Uses up `count` whether they are there or not: until as many have come again there is none.
    void owe(std::uint64_t count, std::uint64_t now) { full_at_ = std::max(full_at_, now) + count * interval_; }

private:
    std::uint64_t interval_, room_; // nanoseconds
    std::uint64_t full_at_ = 0;     // when the whole burst is there again
};

} // namespace base
