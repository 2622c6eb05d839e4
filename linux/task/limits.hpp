// Resource limits (asm-generic/resource.h).
#pragma once
#include <array>
#include <cstdint>

namespace personality {

struct Limit {
    std::uint64_t soft, hard;
};
inline constexpr std::uint64_t unlimited = UINT64_MAX;

namespace limit {
inline constexpr unsigned cpu = 0, file_size = 1, data = 2, stack = 3, core = 4, rss = 5, processes = 6, files = 7, locked_memory = 8, address_space = 9,
                          locks = 10, pending_signals = 11, message_queue = 12, nice = 13, realtime_priority = 14, realtime_time = 15, count = 16;
}

using Limits = std::array<Limit, limit::count>;

constexpr Limits default_limits() {
    Limits limits;
    limits.fill({unlimited, unlimited});
    limits[limit::stack] = {8 << 20, unlimited};
    limits[limit::core] = {0, unlimited};
    limits[limit::processes] = {4096, 4096};
    limits[limit::files] = {1048576, 1048576};
    limits[limit::locked_memory] = {8 << 20, 8 << 20};
    limits[limit::pending_signals] = {1024, 1024};
    limits[limit::message_queue] = {819200, 819200};
    limits[limit::nice] = {0, 0};
    limits[limit::realtime_priority] = {0, 0};
    return limits;
}

} // namespace personality
