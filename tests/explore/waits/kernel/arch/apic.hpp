#pragma once
#include <cstdint>

namespace kernel::arch {
namespace vector {
inline constexpr unsigned reschedule = 0;
}
inline void send_interrupt(std::uint32_t, unsigned) {}
} // namespace kernel::arch
