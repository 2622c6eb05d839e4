#pragma once
#include <cstdint>

namespace kernel::arch {
inline void enter_domain(std::uint64_t) {}
} // namespace kernel::arch
