#include "kernel/memory/kernel_map.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernel/arch/cpu.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/entry.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/tlb.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/arch/spin_lock.hpp"

extern "C" {
extern const unsigned char image_begin[], text_begin[], text_end[], rodata_begin[], rodata_end[], data_begin[], image_end[];
}

namespace kernel {

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t big_page = 2 << 20;

constinit SpinLock lock{LockRank::kernel_map}; // the tables below the shared top-level entries too
constinit std::uint64_t root = 0;
constinit RootPair root_as_pair;
constinit std::uint64_t window = 0; // how tables are reached: the loader's direct map first, then the kernel's
constinit std::uint64_t device_cursor BASE_GUARDED_BY(lock) = device_map_base;
constinit std::uint64_t stack_cursor BASE_GUARDED_BY(lock) = stack_map_base;
constinit std::uint64_t table_pages BASE_GUARDED_BY(lock) = 0; // read without it
// Freed stacks that keep their frames, linked through their highest word.
constexpr std::size_t most_free_stacks = 60, kept_stacks = 12;
// So many at most lose their frames at once: each time all CPUs flush.
constexpr std::size_t retired_stacks = 64;
constinit std::uint64_t free_stacks BASE_GUARDED_BY(lock) = 0;
constinit std::atomic<std::size_t> free_stack_count{0}; // written under the lock
// Ranges of stacks without their frames, by their tops, linked through the entry of the lowest page: a top is a multiple of the page, so the entry is not present.
constinit std::uint64_t bare_stacks BASE_GUARDED_BY(lock) = 0;

std::uint64_t* table(std::uint64_t physical) { return reinterpret_cast<std::uint64_t*>(window + physical); }

std::uint64_t new_table() BASE_REQUIRES(lock) {
    const std::uint64_t frame = frames::allocate_zeroed();
    if (frame != 0)
        ++table_pages;
    return frame;
}

// The entry for `address` at `level` (0: 4 KiB, 1: 2 MiB), or null where memory is exhausted.
std::uint64_t* entry_for(std::uint64_t address, unsigned level) BASE_REQUIRES(lock) {
    std::uint64_t* at = table(root);
    for (unsigned depth = 3; depth > level; --depth) {
        std::uint64_t& entry = at[(address >> (12 + 9 * depth)) & 511];
        if ((entry & entry::present) == 0) {
            const std::uint64_t frame = new_table();
            if (frame == 0)
                return nullptr;
            entry = frame | entry::present | entry::writable;
        }
        at = table(entry & entry::address_mask);
    }
    return &at[(address >> (12 + 9 * level)) & 511];
}

void map(std::uint64_t address, std::uint64_t physical, std::uint64_t bytes, std::uint64_t flags) BASE_REQUIRES(lock) {
    for (std::uint64_t offset = 0; offset < bytes; offset += page) {
        std::uint64_t* const entry = entry_for(address + offset, 0);
        if (entry == nullptr)
            panic("no memory for the kernel's page tables");
        *entry = (physical + offset) | flags | entry::present | entry::global;
    }
}

std::uint64_t& next_free_stack(std::uint64_t top) { return *reinterpret_cast<std::uint64_t*>(top - 8); }

// Of a range that was mapped once.
std::uint64_t* lowest_entry(std::uint64_t top) BASE_REQUIRES(lock) { return entry_for(top - stack_pages * page, 0); }

// Gives a range the frames that it lacks; false where memory is exhausted. The lowest page comes last: until the range is whole, its entry can hold the link. What an
// attempt that fails has mapped stays so, for a translation of it may be remembered somewhere.
bool map_stack(std::uint64_t top) BASE_REQUIRES(lock) {
    for (std::size_t i = 1; i <= stack_pages; ++i) {
        std::uint64_t* const entry = entry_for(top - i * page, 0);
        if (entry == nullptr)
            return false;
        if ((*entry & entry::present) != 0)
            continue;
        const std::uint64_t frame = frames::allocate_zeroed();
        if (frame == 0)
            return false;
        *entry = frame | entry::present | entry::writable | entry::no_execute | entry::global;
    }
    return true;
}

// Takes the frames of free stacks, where there are more than most_free_stacks.
void retire_stacks() {
    std::uint64_t first = 0, last = 0; // the ranges
    std::uint64_t freed = 0;           // the frames, linked through their first word
    {
        const LockGuard guard(lock);
        // Another CPU may have been here meanwhile.
        const std::size_t count = free_stack_count.load(std::memory_order_relaxed);
        if (count <= most_free_stacks)
            return;
        const std::size_t retired = std::min(count - kept_stacks, retired_stacks);
        for (std::size_t i = 0; i < retired; ++i) {
            const std::uint64_t top = free_stacks;
            free_stacks = next_free_stack(top);
            for (std::size_t at = 1; at <= stack_pages; ++at) {
                std::uint64_t* const entry = entry_for(top - at * page, 0);
                const std::uint64_t frame = *entry & entry::address_mask;
                *entry = 0;
                *direct<std::uint64_t>(frame) = freed;
                freed = frame;
            }
            *lowest_entry(top) = first;
            first = top;
            if (last == 0)
                last = top;
        }
        free_stack_count.store(count - retired, std::memory_order_relaxed);
    }
    // Before the frames are anybody's and the ranges are used again.
    tlb::flush_kernel_everywhere();
    while (freed != 0) {
        const std::uint64_t frame = freed;
        freed = *direct<std::uint64_t>(frame);
        frames::release(frame);
    }
    const LockGuard guard(lock);
    if (bare_stacks == 0) {
        bare_stacks = first;
        return;
    }
    // Behind the first one, which may have some frames of an attempt that failed: so there is no other that has.
    *lowest_entry(last) = *lowest_entry(bare_stacks);
    *lowest_entry(bare_stacks) = first;
}

} // namespace

void initialize_kernel_map(const limine::MemoryEntry* entries, std::size_t count, std::uint64_t physical_base) {
    lock.assume_held(); // at boot
    // The loader's map is still loaded: its offset is what frames uses now.
    window = canonical_upper;
    root = new_table();
    // Every top-level entry of the kernel exists from now on, so that roots can copy them once.
    for (unsigned slot = 320; slot < 512; ++slot)
        if (slot <= 322 || slot == 511) {
            const std::uint64_t frame = new_table();
            table(root)[slot] = frame | entry::present | entry::writable;
        }
    for (std::size_t i = 0; i < count; ++i) {
        const auto& area = entries[i];
        if (area.type == limine::MemoryType::reserved || area.type == limine::MemoryType::bad || area.type == limine::MemoryType::framebuffer)
            continue;
        std::uint64_t begin = area.base & ~(page - 1);
        const std::uint64_t end = (area.base + area.length + page - 1) & ~(page - 1);
        while (begin < end) {
            if ((begin & (big_page - 1)) == 0 && end - begin >= big_page) {
                *entry_for(direct_map_base + begin, 1) = begin | entry::present | entry::writable | entry::large | entry::global | entry::no_execute;
                begin += big_page;
            } else {
                *entry_for(direct_map_base + begin, 0) = begin | entry::present | entry::writable | entry::global | entry::no_execute;
                begin += page;
            }
        }
    }
    const auto address = [](const unsigned char* symbol) { return reinterpret_cast<std::uint64_t>(symbol); };
    const std::uint64_t image = address(image_begin);
    const auto map_part = [&](const unsigned char* from, const unsigned char* to, std::uint64_t flags) {
        lock.assume_held();
        map(address(from), physical_base + (address(from) - image), (address(to) - address(from) + page - 1) & ~(page - 1), flags);
    };
    map_part(text_begin, text_end, 0);
    map_part(rodata_begin, rodata_end, entry::no_execute);
    map_part(data_begin, image_end, entry::writable | entry::no_execute);
    arch::write_cr3(root);
    root_as_pair.native = root_as_pair.guest = root;
    window = direct_map_base;
    frames::use_direct_map();
}

void protect_image_alias(std::uint64_t physical_base) {
    lock.assume_held(); // at boot
    const auto offset = [](const unsigned char* symbol) { return static_cast<std::uint64_t>(symbol - image_begin); };
    for (std::uint64_t physical = physical_base + offset(text_begin); physical < physical_base + offset(rodata_end); physical += page) {
        const std::uint64_t address = direct_map_base + physical;
        std::uint64_t& upper = *entry_for(address, 1);
        if ((upper & entry::large) != 0) {
            const std::uint64_t frame = new_table();
            if (frame == 0)
                panic("no memory for the kernel's page tables");
            for (std::uint64_t i = 0; i < 512; ++i)
                table(frame)[i] = ((upper & ~entry::large) + i * page);
            upper = frame | entry::present | entry::writable;
        }
        *entry_for(address, 0) &= ~entry::writable;
        arch::invalidate_page(address);
    }
}

std::uint64_t kernel_root() { return root; }
const RootPair& kernel_roots() { return root_as_pair; }
std::uint64_t kernel_table_pages() { return __atomic_load_n(&table_pages, __ATOMIC_RELAXED); }

void share_kernel_map(std::uint64_t other) {
    auto* const target = direct<std::uint64_t>(other);
    const auto* const source = direct<std::uint64_t>(root);
    for (unsigned slot = 320; slot < 512; ++slot)
        target[slot] = source[slot];
}

void* map_device(std::uint64_t physical, std::size_t bytes) {
    const LockGuard guard(lock);
    const std::uint64_t offset = physical & (page - 1);
    const std::uint64_t length = (offset + bytes + page - 1) & ~(page - 1);
    const std::uint64_t address = device_cursor;
    device_cursor += length + page;
    map(address, physical - offset, length, entry::writable | entry::no_execute | entry::uncached);
    return reinterpret_cast<void*>(address + offset);
}

const void* map_firmware(std::uint64_t physical, std::size_t bytes) {
    const LockGuard guard(lock);
    const std::uint64_t begin = physical & ~(page - 1);
    const std::uint64_t end = (physical + bytes + page - 1) & ~(page - 1);
    for (std::uint64_t at = begin; at < end; at += page) {
        // A large page of the direct map holds it already.
        std::uint64_t* const upper = entry_for(direct_map_base + at, 1);
        if (upper == nullptr || (*upper & entry::large) != 0)
            continue;
        std::uint64_t* const entry = entry_for(direct_map_base + at, 0);
        if (entry != nullptr && (*entry & entry::present) == 0)
            *entry = at | entry::present | entry::no_execute | entry::global;
    }
    return direct<const void>(physical);
}

std::uint64_t allocate_stack() {
    const LockGuard guard(lock);
    if (free_stacks != 0) {
        const std::uint64_t top = free_stacks;
        free_stacks = next_free_stack(top);
        free_stack_count.fetch_sub(1, std::memory_order_relaxed);
        return top;
    }
    if (bare_stacks != 0) {
        const std::uint64_t top = bare_stacks;
        const std::uint64_t next = *lowest_entry(top);
        if (!map_stack(top))
            return 0;
        bare_stacks = next;
        return top;
    }
    const std::uint64_t top = stack_cursor + (1 + stack_pages) * page; // the first page stays unmapped
    if (!map_stack(top))
        return 0;
    stack_cursor = top;
    return top;
}

void free_stack(std::uint64_t top) {
    const LockGuard guard(lock);
    next_free_stack(top) = free_stacks;
    free_stacks = top;
    free_stack_count.fetch_add(1, std::memory_order_relaxed);
}

void trim_stacks() {
    if (free_stack_count.load(std::memory_order_relaxed) > most_free_stacks)
        retire_stacks();
}

} // namespace kernel
