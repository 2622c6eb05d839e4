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

// Waits while the word at `address` of `space` (4 aligned bytes) holds `expected`, for a wake that has one of `bits`. Without locks.
// Errors: changed, timed_out, canceled, bad_pointer, bad_argument (alignment, no bits).
base::Result<void> futex_wait(Thread& thread, Space& space, std::uint64_t address, bool shared, std::uint32_t expected, abi::Deadline deadline,
                              std::uint32_t bits);

// What a wake has done.
struct FutexWoken {
    std::uint32_t woken = 0;
    std::uint32_t moved = 0;
};
// Wakes up to `count` waiters that have one of `bits`; up to `requeue_count` more of them wait at `requeue_to` from now on, where that is not 0.
// In steps, without locks; whoever begins to wait meanwhile is left alone.
// Errors: bad_pointer, bad_argument (alignment, no bits).
base::Result<FutexWoken> futex_wake(Space& space, std::uint64_t address, bool shared, std::uint32_t count, std::uint32_t bits, std::uint64_t requeue_to = 0,
                                    std::uint32_t requeue_count = 0);

} // namespace kernel
