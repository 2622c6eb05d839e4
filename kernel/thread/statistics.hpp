// Counters of the node.
#pragma once
#include <cstdint>

namespace kernel::statistics {

std::uint32_t cpu_count();
std::uint64_t context_switches();
std::uint64_t root_loads();
std::uint64_t page_faults();
// How often an interrupt ended the halt of an idle CPU, of `cpu_count()`.
std::uint64_t idle_wakeups(std::uint32_t cpu);

} // namespace kernel::statistics
