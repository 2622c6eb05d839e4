// The kernel's heap: power-of-two slabs over frames, larger blocks as runs of frames. Callers give the size back at release.
#pragma once
#include <bit>
#include <cstddef>

#include "abi/types.hpp"

namespace kernel::heap {

inline constexpr std::size_t smallest_block = 32, largest_block = 2048;
inline constexpr std::size_t slab_header = 32; // takes the place of a slab's first block

// What so many bytes take of the frames, to charge somebody with: the block, or the pages, and the block's part of its slab.
constexpr std::size_t cost(std::size_t bytes) {
    if (bytes > largest_block) return (bytes + abi::page_size - 1) / abi::page_size * abi::page_size;
    const std::size_t block = bytes <= smallest_block ? smallest_block : std::bit_ceil(bytes);
    const std::size_t blocks = abi::page_size / block - 1;
    return (abi::page_size + blocks - 1) / blocks;
}

// Zeroed, aligned to 16 (or to a page from 2,049 bytes up); null where memory is exhausted. Any context.
void* allocate(std::size_t bytes);
// `bytes` as at the allocation.
void release(void* memory, std::size_t bytes);

} // namespace kernel::heap
