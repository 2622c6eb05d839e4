// Time without a kernel call, from the clock page.
#pragma once
#include <cstdint>

#include "abi/start.hpp"

namespace native {

// Nanoseconds since boot, the same clock as that of deadlines. 0 where the program has no `clock`.
std::uint64_t monotonic_nanoseconds();
// Nanoseconds since 1970 (UTC); before the time server has set the offset: since boot.
std::uint64_t realtime_nanoseconds();

// The mapped page, null without `clock`.
const abi::ClockPage* clock_page();

inline constexpr std::uint64_t nanoseconds_per_millisecond = 1'000'000;
inline constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
inline abi::Deadline after_milliseconds(std::uint64_t milliseconds) {
    return monotonic_nanoseconds() + milliseconds * nanoseconds_per_millisecond;
}

// Maps the page; part of the program's start.
void clock_start();

} // namespace native
