// Timeouts and signal masks of calls that wait. Lock not held.
#pragma once
#include "abi/types.hpp"
#include "linux/calls/call.hpp"

namespace personality {

// When a wait of so many nanoseconds from now ends; 0 is a poll.
abi::Deadline deadline_after(std::uint64_t nanoseconds);
// struct timespec (or timeval) at `address`, as a deadline from now; no address is never. EINVAL, EFAULT.
LinuxResult<abi::Deadline> load_timeout(std::uint64_t address, bool microseconds);
// The mask that holds during the call; no address changes nothing. EINVAL (size), EFAULT.
LinuxResult<void> load_signal_mask(Task& task, std::uint64_t address, std::uint64_t size);

} // namespace personality
