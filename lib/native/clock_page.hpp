// Reading the clock page. Also for code of guests, so nothing here may call anything.
#pragma once
#include <cstdint>

#include "abi/start.hpp"

namespace native {

// Nanoseconds since boot.
inline std::uint64_t monotonic_of(const abi::ClockPage& page) {
    const std::uint64_t ticks = __builtin_ia32_rdtsc() - page.tsc_base;
    const auto product = static_cast<unsigned __int128>(ticks) * page.multiplier;
    return static_cast<std::uint64_t>(product >> page.shift) + page.base_nanoseconds;
}

// Nanoseconds since 1970 (UTC); before the time server has set the offset: since boot.
inline std::uint64_t realtime_of(const abi::ClockPage& page) {
    const std::uint64_t monotonic = monotonic_of(page);
    for (;;) {
        const std::uint64_t before = __atomic_load_n(&page.sequence, __ATOMIC_ACQUIRE);
        const std::uint64_t offset = __atomic_load_n(&page.realtime_offset, __ATOMIC_ACQUIRE);
        if ((before & 1) == 0 && before == __atomic_load_n(&page.sequence, __ATOMIC_ACQUIRE))
            return monotonic + offset;
        __builtin_ia32_pause();
    }
}

} // namespace native
