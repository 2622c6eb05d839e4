// struct rusage.
#pragma once
#include "linux/calls/call.hpp"
#include "linux/task/process.hpp"

namespace personality {

// To guest memory; no address is none. EFAULT. Lock not held.
LinuxResult<void> write_usage(std::uint64_t address, const Times& times, std::uint64_t minor_faults = 0, std::uint64_t voluntary_switches = 0);

} // namespace personality
