// Futexes: threads that wait for a word of memory to change. One queue for private and shared words, for native code and for guests.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/core/futex_queue.hpp"
#include "lib/base/result.hpp"

namespace kernel {

class Space;
class Thread;

// Once, before the first process.
void initialize_futexes();

// Waits while the word at `address` of `space` (4 aligned bytes) holds `expected`. Without locks.
// Errors: changed, timed_out, canceled, bad_pointer, bad_argument (alignment).
base::Result<void> futex_wait(Thread& thread, Space& space, std::uint64_t address, bool shared, std::uint32_t expected, abi::Deadline deadline);

// Wakes up to `count` waiters; up to `requeue_count` more wait at `requeue_to` from now on, where that is not 0. Returns how many were woken.
// In steps, without locks; whoever begins to wait meanwhile is left alone.
// Errors: bad_pointer, bad_argument.
base::Result<std::uint64_t> futex_wake(Space& space, std::uint64_t address, bool shared, std::uint32_t count, std::uint64_t requeue_to,
                                       std::uint32_t requeue_count);

} // namespace kernel
