// Numbers from a seed: the same attack every time.
#pragma once
#include <cstdint>

namespace attacks {

// splitmix64.
class Random {
public:
    explicit constexpr Random(std::uint64_t seed) : state_(seed) {}
    constexpr std::uint64_t next() {
        std::uint64_t value = state_ += 0x9e37'79b9'7f4a'7c15;
        value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
        value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
        return value ^ value >> 31;
    }
    // 0 to `limit` - 1.
    constexpr std::uint64_t below(std::uint64_t limit) { return next() % limit; }
    template <class T, std::size_t count> constexpr const T& one_of(const T (&values)[count]) { return values[below(count)]; }

private:
    std::uint64_t state_;
};

} // namespace attacks
