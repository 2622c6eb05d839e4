#include "kernel/memory/frames.hpp"

#include <bit>
#include <cstring>

#include "kernel/memory/payer.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel::frames {

namespace {

constexpr std::uint64_t page = 4096;
constexpr unsigned orders = 19; // runs of up to 1 GiB
constexpr std::uint32_t flag_free = 1u << 31;   // head of a free run; the low bits are its order
constexpr std::uint32_t flag_memory = 1u << 30; // memory of the machine

// Free runs are linked through their own first bytes.
struct FreeRun {
    FreeRun* next;
    FreeRun* previous;
};

constinit SpinLock lock{LockRank::frames};
constinit FreeRun* lists[orders] BASE_GUARDED_BY(lock) = {};
constinit Frame* records = nullptr;
constinit std::uint64_t record_count = 0;
constinit std::uint64_t records_physical = 0;
constinit std::uint64_t window = 0; // offset of the direct map in use
constinit std::atomic<std::uint64_t> free_frames{0};
constinit std::uint64_t total_frames = 0; // fixed after the boot

std::uint64_t up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) & ~(to - 1); }
FreeRun* run_at(std::uint64_t index) { return reinterpret_cast<FreeRun*>(window + index * page); }
std::uint64_t index_of(const FreeRun* run) { return (reinterpret_cast<std::uint64_t>(run) - window) / page; }

void link(std::uint64_t index, unsigned order) BASE_REQUIRES(lock) {
    FreeRun* run = run_at(index);
    run->previous = nullptr;
    run->next = lists[order];
    if (run->next != nullptr)
        run->next->previous = run;
    lists[order] = run;
    records[index].order_and_flags = flag_memory | flag_free | order;
}

void unlink(std::uint64_t index, unsigned order) BASE_REQUIRES(lock) {
    FreeRun* run = run_at(index);
    (run->previous != nullptr ? run->previous->next : lists[order]) = run->next;
    if (run->next != nullptr)
        run->next->previous = run->previous;
    records[index].order_and_flags = flag_memory;
}

// Joins the run with its free buddies.
void put(std::uint64_t index, unsigned order) BASE_REQUIRES(lock) {
    free_frames.fetch_add(1ull << order, std::memory_order_relaxed);
    while (order + 1 < orders) {
        const std::uint64_t buddy = index ^ (1ull << order);
        if (buddy >= record_count || records[buddy].order_and_flags != (flag_memory | flag_free | order))
            break;
        unlink(buddy, order);
        index &= ~(1ull << order);
        ++order;
    }
    link(index, order);
}

// The first frame's index, or 0.
std::uint64_t take(unsigned order) BASE_REQUIRES(lock) {
    unsigned found = order;
    while (found < orders && lists[found] == nullptr)
        ++found;
    if (found == orders)
        return 0;
    const std::uint64_t index = index_of(lists[found]);
    unlink(index, found);
    while (found > order) {
        --found;
        link(index + (1ull << found), found);
    }
    free_frames.fetch_sub(1ull << order, std::memory_order_relaxed);
    return index;
}

void add_range(std::uint64_t begin, std::uint64_t end) BASE_REQUIRES(lock) {
    begin = up(begin, page) / page;
    end /= page;
    if (begin == 0)
        begin = 1;
    for (std::uint64_t index = begin; index < end; ++index)
        records[index].order_and_flags = flag_memory;
    total_frames += begin < end ? end - begin : 0;
    for (std::uint64_t index = begin; index < end;) {
        unsigned order = 0;
        while (order + 1 < orders && (index & ((2ull << order) - 1)) == 0 && index + (2ull << order) <= end)
            ++order;
        put(index, order);
        index += 1ull << order;
    }
}

bool is_ram(limine::MemoryType type) {
    return type == limine::MemoryType::usable || type == limine::MemoryType::loader_reclaimable || type == limine::MemoryType::executable_and_modules;
}

} // namespace

void initialize(const limine::MemoryEntry* entries, std::size_t count, std::uint64_t offset) {
    lock.assume_held(); // at boot
    window = offset;
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (is_ram(entries[i].type) && entries[i].base + entries[i].length > end)
            end = entries[i].base + entries[i].length;
    record_count = end / page;
    const std::uint64_t bytes = up(record_count * sizeof(Frame), page);
    std::uint64_t place = 0;
    for (std::size_t i = 0; i < count && place == 0; ++i)
        if (entries[i].type == limine::MemoryType::usable && entries[i].base >= 0x100000 && entries[i].length >= bytes)
            place = entries[i].base;
    if (place == 0)
        panic("no room for the records of %u frames", record_count);
    records_physical = place;
    records = reinterpret_cast<Frame*>(window + place);
    std::memset(records, 0, bytes);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& entry = entries[i];
        if (entry.type == limine::MemoryType::usable) {
            const std::uint64_t begin = entry.base == place ? place + bytes : entry.base;
            // The first MiB is kept for the other CPUs' start code.
            add_range(begin < 0x100000 ? 0x100000 : begin, entry.base + entry.length);
        } else if (entry.type == limine::MemoryType::executable_and_modules) {
            for (std::uint64_t at = entry.base; at < entry.base + entry.length; at += page)
                records[at / page].order_and_flags = flag_memory;
        }
    }
}

void use_direct_map() {
    lock.assume_held(); // at boot
    const std::uint64_t from = window;
    window = direct_map_base;
    records = direct<Frame>(records_physical);
    const auto move = [&](FreeRun*& run) {
        if (run != nullptr)
            run = reinterpret_cast<FreeRun*>(reinterpret_cast<std::uint64_t>(run) - from + window);
    };
    for (auto& list : lists) {
        move(list);
        for (FreeRun* run = list; run != nullptr; run = run->next) {
            move(run->next);
            move(run->previous);
        }
    }
}

void reclaim_loader_memory(const limine::MemoryEntry* entries, std::size_t count) {
    const LockGuard guard(lock);
    for (std::size_t i = 0; i < count; ++i)
        if (entries[i].type == limine::MemoryType::loader_reclaimable)
            add_range(entries[i].base < 0x100000 ? 0x100000 : entries[i].base, entries[i].base + entries[i].length);
}

std::uint64_t allocate() {
    const LockGuard guard(lock);
    const std::uint64_t index = take(0);
    if (index != 0) {
        records[index].references.store(1, std::memory_order_relaxed);
        records[index].payer = nullptr;
    }
    return index * page;
}

std::uint64_t allocate_zeroed() {
    const std::uint64_t physical = allocate();
    if (physical != 0)
        std::memset(reinterpret_cast<void*>(window + physical), 0, page);
    return physical;
}

std::uint64_t reserve_run(std::size_t count) {
    unsigned order = 0;
    while (order < orders && (1ull << order) < count)
        ++order;
    if (count == 0 || order == orders)
        return 0;
    const LockGuard guard(lock);
    const std::uint64_t index = take(order);
    if (index == 0)
        return 0;
    // What the power of two is too large by goes back, in the largest runs that begin there.
    for (std::uint64_t i = count; i < (1ull << order); i += i & -i)
        put(index + i, static_cast<unsigned>(std::countr_zero(i)));
    return index * page;
}

void begin_use(std::uint64_t physical) {
    records[physical / page].references.store(1, std::memory_order_relaxed);
    records[physical / page].payer = nullptr;
    std::memset(reinterpret_cast<void*>(window + physical), 0, page);
}

std::uint64_t allocate_run(std::size_t count) {
    const std::uint64_t run = reserve_run(count);
    for (std::size_t i = 0; run != 0 && i < count; ++i)
        begin_use(run + i * page);
    return run;
}

Frame& of(std::uint64_t physical) { return records[physical / page]; }

bool is_memory(std::uint64_t physical) { return physical / page < record_count && (records[physical / page].order_and_flags & flag_memory) != 0; }

void retain(std::uint64_t physical) { of(physical).references.fetch_add(1, std::memory_order_relaxed); }

void release(std::uint64_t physical) {
    Frame& frame = of(physical);
    if (frame.references.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    Quota* const payer = frame.payer;
    frame.payer = nullptr;
    {
        const LockGuard guard(lock);
        put(physical / page, 0);
    }
    if (payer != nullptr)
        release_frame_charge(*payer);
}

std::uint64_t free_count() { return free_frames.load(std::memory_order_relaxed); }
std::uint64_t total_count() { return total_frames; }
std::uint64_t top() { return record_count * page; }

} // namespace kernel::frames
