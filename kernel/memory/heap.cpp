#include "kernel/memory/heap.hpp"

#include <cstdint>
#include <cstring>
#include <new>

#include "kernel/memory/frames.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel::heap {

namespace {

constexpr std::size_t page = abi::page_size;
constexpr std::size_t classes = std::bit_width(largest_block / smallest_block);

// One page of equal blocks. The header sits at the page's start and takes the place of the first block or blocks.
struct Slab {
    Slab* next;
    Slab* previous;
    void* free; // linked through the blocks' first word
    std::uint32_t used;
    std::uint32_t size_class;
};
static_assert(sizeof(Slab) <= slab_header);

struct Class {
    SpinLock lock{LockRank::heap}; // of what is in the class' slabs as well
    Slab* partial BASE_GUARDED_BY(lock) = nullptr; // slabs with a free block
};
constinit Class pool[classes];

std::size_t class_of(std::size_t bytes) { return bytes <= smallest_block ? 0 : std::bit_width((bytes - 1) / smallest_block); }

Slab* new_slab(std::size_t index) {
    const std::uint64_t frame = frames::allocate();
    if (frame == 0)
        return nullptr;
    auto* const base = direct<unsigned char>(frame);
    auto* const slab = new (base) Slab{nullptr, nullptr, nullptr, 0, static_cast<std::uint32_t>(index)};
    const std::size_t size = smallest_block << index;
    static_assert(smallest_block >= slab_header);
    for (std::size_t at = size; at + size <= page; at += size) {
        *reinterpret_cast<void**>(base + at) = slab->free;
        slab->free = base + at;
    }
    return slab;
}

void link(Class& list, Slab& slab) BASE_REQUIRES(list.lock) {
    slab.previous = nullptr;
    slab.next = list.partial;
    if (slab.next != nullptr)
        slab.next->previous = &slab;
    list.partial = &slab;
}

void unlink(Class& list, Slab& slab) BASE_REQUIRES(list.lock) {
    (slab.previous != nullptr ? slab.previous->next : list.partial) = slab.next;
    if (slab.next != nullptr)
        slab.next->previous = slab.previous;
}

} // namespace

void* allocate(std::size_t bytes) {
    if (bytes > largest_block) {
        const std::uint64_t run = frames::allocate_run((bytes + page - 1) / page);
        return run != 0 ? direct<void>(run) : nullptr;
    }
    const std::size_t index = class_of(bytes);
    Class& list = pool[index];
    void* block = nullptr;
    {
        const LockGuard guard(list.lock);
        Slab* slab = list.partial;
        if (slab == nullptr) {
            slab = new_slab(index);
            if (slab == nullptr)
                return nullptr;
            link(list, *slab);
        }
        block = slab->free;
        slab->free = *static_cast<void**>(block);
        ++slab->used;
        if (slab->free == nullptr)
            unlink(list, *slab);
    }
    std::memset(block, 0, smallest_block << index);
    return block;
}

void release(void* memory, std::size_t bytes) {
    if (memory == nullptr)
        return;
    if (bytes > largest_block) {
        const std::uint64_t first = physical_of(memory);
        for (std::size_t i = 0; i < (bytes + page - 1) / page; ++i)
            frames::release(first + i * page);
        return;
    }
    auto* const slab = reinterpret_cast<Slab*>(reinterpret_cast<std::uint64_t>(memory) & ~(page - 1));
    const std::size_t index = class_of(bytes);
    if (slab->size_class != index)
        panic("heap: released %u bytes into a slab of another size", bytes);
    Class& list = pool[index];
    bool empty = false;
    {
        const LockGuard guard(list.lock);
        const bool was_full = slab->free == nullptr;
        *static_cast<void**>(memory) = slab->free;
        slab->free = memory;
        --slab->used;
        if (was_full)
            link(list, *slab);
        if (slab->used == 0) {
            unlink(list, *slab);
            empty = true;
        }
    }
    if (empty)
        frames::release(physical_of(slab));
}

} // namespace kernel::heap
