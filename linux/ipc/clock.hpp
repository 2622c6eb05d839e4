// The clocks that timers of this folder use.
#pragma once
#include "abi/types.hpp"

namespace personality {

// Nanoseconds of the monotonic clock, the one of deadlines.
std::uint64_t monotonic_now();
// What to add to it for nanoseconds since 1970.
std::int64_t realtime_offset();

} // namespace personality
