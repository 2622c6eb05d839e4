#include "kernel/memory/heap.hpp"

#include <cstdint>
#include <cstring>

#include "kernel/memory/frames.hpp"
#include "kernel/memory/payer.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/panic.hpp"

namespace kernel::heap {

namespace {

constexpr std::size_t page = abi::page_size;

std::size_t class_of(std::size_t bytes) { return bytes <= Slab::smallest_block ? 0 : std::bit_width((bytes - 1) / Slab::smallest_block); }
std::size_t pages_of(std::size_t bytes) { return (bytes + page - 1) / page; }

} // namespace

void* Pool::allocate_run(std::size_t pages) {
    const std::uint64_t run = payer_ ? allocate_charged_run(*payer_, pages) : frames::allocate_run(pages);
    return run != 0 ? direct<void>(run) : nullptr;
}

void* Pool::allocate(std::size_t bytes) {
    if (bytes > Slab::largest_block)
        return allocate_run(pages_of(bytes));
    const std::size_t index = class_of(bytes);
    const std::size_t block_bytes = Slab::smallest_block << index;
    void* block = nullptr;
    {
        const LockGuard guard(lock_);
        SlabList& list = lists_[index];
        if (list.empty()) {
            const std::uint64_t frame = payer_ ? allocate_charged(*payer_, Content::undefined) : frames::allocate();
            if (frame == 0)
                return nullptr;
            list.add(Slab::begin(direct<void>(frame), block_bytes, this));
        }
        block = list.take();
    }
    std::memset(block, 0, block_bytes);
    return block;
}

void release(void* memory, std::size_t bytes) {
    if (memory == nullptr)
        return;
    if (bytes > Slab::largest_block) {
        const std::uint64_t first = physical_of(memory);
        for (std::size_t i = 0; i < pages_of(bytes); ++i)
            frames::release(first + i * page);
        return;
    }
    Slab& slab = Slab::of(memory);
    const std::size_t index = class_of(bytes);
    if (slab.block_bytes() != Slab::smallest_block << index)
        panic("heap: released %u bytes into a slab of another size", bytes);
    Pool& pool = *static_cast<Pool*>(slab.owner());
    bool empty = false;
    {
        const LockGuard guard(pool.lock_);
        empty = pool.lists_[index].give(memory);
    }
    // With its frame the payer may go, and the pool.
    if (empty)
        frames::release(physical_of(&slab));
}

} // namespace kernel::heap
