// Physical memory by frames of 4 KiB: a binary buddy allocator over the loader's memory map, a cache of each processor over that, and what is known of each frame.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "boot/limine.hpp"

namespace kernel {
class Quota;
}

namespace kernel::frames {

// One for each frame. `references` counts page-table entries and Memory objects that hold the frame; `payer` is the quota that is charged for it, for the frame's
// whole life. A free frame has no references.
struct Frame {
    std::atomic<std::uint32_t> references;
    std::uint32_t order_and_flags; // allocator's own
    Quota* payer;
};

// Builds the allocator from the usable entries. Before the kernel's own tables exist: `offset` is the loader's direct map. Halts where no place is found for the frames'
// records.
void initialize(const limine::MemoryEntry* entries, std::size_t count, std::uint64_t offset);
// The records are reached through the kernel's own direct map from here on.
void use_direct_map();
// Gives the loader's reclaimable memory to the allocator. After everything needed from it was copied.
void reclaim_loader_memory(const limine::MemoryEntry* entries, std::size_t count);
// Each processor keeps some free frames from here on. After all processors were started.
void start_caches();

// A frame with one reference and no payer, its content undefined; 0 where memory is exhausted. Any context, no lock needed.
std::uint64_t allocate();
// The same, zeroed.
std::uint64_t allocate_zeroed();
// For a processor that has nothing to do: zeroes one frame for its later allocate_zeroed(). False where it has enough of them, or memory is short.
bool zero_ahead();
// For tests: whether the processor `cpu` has all that it zeroes ahead.
bool has_zeroed_ahead(std::size_t cpu);
// `count` frames in a row, aligned to the next power of two, zeroed, each with one reference; 0 where there is no such run. All at once: for what is short.
std::uint64_t allocate_run(std::size_t count);
// The same in parts: a run that is nobody else's, and what makes each of its frames one of allocate_zeroed().
std::uint64_t reserve_run(std::size_t count);
void begin_use(std::uint64_t physical);

// One more reference.
void retain(std::uint64_t physical);
// One less; the frame is free after the last, its payer is released of it.
void release(std::uint64_t physical);
// The same for each of them.
void release_all(std::span<const std::uint64_t> list);
// False for addresses that are no memory of the machine (device registers).
bool is_memory(std::uint64_t physical);
Frame& of(std::uint64_t physical);

// Those in caches too. While frames are taken and given back, off by no more than what goes on at the time.
std::uint64_t free_count();
std::uint64_t total_count();
// End of the highest memory.
std::uint64_t top();

} // namespace kernel::frames
