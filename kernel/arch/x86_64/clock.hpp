// The monotonic clock: the time-stamp counter with a measured rate.
#pragma once
#include <cstdint>

#include "abi/start.hpp"

namespace kernel::arch {

// Measures the counter's rate. Needs ACPI's PM timer or falls back to the PIT. Once, on the first CPU.
void initialize_clock();
// Nanoseconds since the kernel's first instruction (as good as the counter tells).
std::uint64_t monotonic_nanoseconds();
// What programs need to compute the same: fills the kernel's part of a clock page.
void fill_clock_page(abi::ClockPage& page);
// The counter at the kernel's first instruction; set by main.
void set_boot_counter(std::uint64_t counter);

} // namespace kernel::arch
