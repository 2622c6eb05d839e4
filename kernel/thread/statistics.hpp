// Counters of the node.
#pragma once
#include <cstdint>

namespace kernel::statistics {

std::uint32_t cpu_count();
std::uint64_t context_switches();
std::uint64_t root_loads();

} // namespace kernel::statistics
