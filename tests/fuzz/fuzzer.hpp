// Random calls, made inside a cell from the capabilities that it was given.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/types.hpp"

namespace fuzz {

inline constexpr std::uint64_t tally_at = 0xffff'8050'0000'0000; // in the cell: between what programs map and their stacks
inline constexpr std::size_t most_calls = 128;
inline constexpr unsigned most_threads = 4;

// What a cell counts where its own death does not lose it.
struct Tally {
    std::atomic<std::uint64_t> calls;
    std::atomic<std::uint64_t> granted;                // ended without an error
    std::atomic<std::uint64_t> reached[2];             // a bit for each call that was granted once
    std::atomic<std::uint64_t> answers[most_calls];    // by number: a bit for each error that came
};
static_assert(sizeof(Tally) <= abi::page_size);

// The orders for one cell, in one word.
struct Orders {
    std::uint64_t seed;    // below 2^32
    std::uint64_t calls;   // of all threads, below 2^24
    std::uint64_t threads; // 1 to most_threads

    constexpr std::uint64_t word() const { return seed | calls << 32 | threads << 56; }
    static constexpr Orders of(std::uint64_t word) { return {word & 0xffff'ffff, word >> 32 & 0xff'ffff, word >> 56}; }
};

// The cell's work (attacks::Attack): it has no capability, or its first five are its own process, half, quota, budget and thread. Without any it has one thread.
std::uint64_t run(std::uint64_t orders);

} // namespace fuzz
