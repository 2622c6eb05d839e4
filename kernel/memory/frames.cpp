#include "kernel/memory/frames.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernel/memory/payer.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/frame_cache.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/weaken.hpp"

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
constinit std::uint32_t filled BASE_GUARDED_BY(lock) = 0; // a bit for each list that has runs
constinit Frame* records = nullptr;
constinit std::uint64_t record_count = 0;
constinit std::uint64_t records_physical = 0;
constinit std::uint64_t window = 0; // offset of the direct map in use
constinit std::uint64_t among_buddies BASE_GUARDED_BY(lock) = 0;
constinit std::uint64_t total_frames = 0; // fixed after the boot

// What each processor keeps of the free frames. Its own lock is taken by that processor, and by whoever found nothing among the buddies: a frame is always among the buddies,
// in a cache or given out, for whoever holds the locks of both places moves it.
struct alignas(64) Cache {
    SpinLock lock{LockRank::frame_cache};
    // What came back to this processor less what it took, wherever that was taken from or put. Written by it alone; so what moves between the buddies and the caches is in no
    // figure, and what is free is known exactly without a word that all of them write to.
    std::atomic<std::int64_t> change{0};
    FrameCache frames BASE_GUARDED_BY(lock);
};
constinit Cache caches[arch::max_cpus];
// The same for what is counted by nobody's processor: the boot, and runs. Changed under the lock.
constinit std::atomic<std::uint64_t> free_frames{0};
// Whether the caches are used. Not before all processors know themselves, and not while memory is short: then all that is free is among the buddies. Set under the lock of the
// buddies; whoever puts something into a cache looks under the cache's lock.
constinit std::atomic<bool> open{false};
constinit std::size_t emptying BASE_GUARDED_BY(lock) = 0; // processors that are at it
// So many among the buddies have them used again: twice what they may take at once.
constinit std::uint64_t enough BASE_GUARDED_BY(lock) = UINT64_MAX;
// All caches together keep no more than this part of the memory.
constexpr std::uint64_t cached_part = 128;

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
    filled |= 1u << order;
    records[index].order_and_flags = flag_memory | flag_free | order;
}

void unlink(std::uint64_t index, unsigned order) BASE_REQUIRES(lock) {
    FreeRun* run = run_at(index);
    (run->previous != nullptr ? run->previous->next : lists[order]) = run->next;
    if (run->next != nullptr)
        run->next->previous = run->previous;
    if (lists[order] == nullptr)
        filled &= ~(1u << order);
    records[index].order_and_flags = flag_memory;
}

// Joins the run with its free buddies.
void put(std::uint64_t index, unsigned order) BASE_REQUIRES(lock) {
    among_buddies += 1ull << order;
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
    const std::uint32_t large_enough = filled >> order << order;
    if (large_enough == 0)
        return 0;
    auto found = static_cast<unsigned>(std::countr_zero(large_enough));
    const std::uint64_t index = index_of(lists[found]);
    unlink(index, found);
    while (found > order) {
        --found;
        link(index + (1ull << found), found);
    }
    among_buddies -= 1ull << order;
    return index;
}

// Frames of any number, in the largest runs that begin there.
void put_range(std::uint64_t index, std::uint64_t end) BASE_REQUIRES(lock) {
    while (index < end) {
        const int order = std::min({std::countr_zero(index), std::bit_width(end - index) - 1, static_cast<int>(orders) - 1});
        put(index, static_cast<unsigned>(order));
        index += 1ull << order;
    }
}

void add_range(std::uint64_t begin, std::uint64_t end) BASE_REQUIRES(lock) {
    begin = up(begin, page) / page;
    end /= page;
    if (begin == 0)
        begin = 1;
    for (std::uint64_t index = begin; index < end; ++index)
        records[index].order_and_flags = flag_memory;
    const std::uint64_t added = begin < end ? end - begin : 0;
    total_frames += added;
    free_frames.fetch_add(added, std::memory_order_relaxed);
    put_range(begin, end);
}

Cache& own_cache() { return caches[arch::here()->index]; }
void count(Cache& own, std::int64_t change) { own.change.store(own.change.load(std::memory_order_relaxed) + change, std::memory_order_relaxed); }

// `count` frames in a row, at most as many as the largest run has; gives back what the power of two is too large by.
std::uint64_t take_run(std::size_t count) BASE_REQUIRES(lock) {
    const auto order = static_cast<unsigned>(std::bit_width(count - 1));
    const std::uint64_t index = take(order);
    if (index == 0)
        return 0;
    put_range(index + count, index + (1ull << order));
    free_frames.fetch_sub(count, std::memory_order_relaxed);
    return index;
}

// A batch from the buddies, of the smallest runs that there are: larger ones stay whole.
[[gnu::noinline]] void fill(Cache& own) BASE_REQUIRES(own.lock) {
    const LockGuard guard(lock);
    if (!open.load(std::memory_order_relaxed))
        return;
    for (std::uint64_t wanted = own.frames.batch(); wanted != 0;) {
        const auto order = static_cast<unsigned>(std::min(std::countr_zero(filled), std::bit_width(wanted) - 1));
        const std::uint64_t index = take(order);
        if (index == 0)
            return;
        for (std::uint64_t i = 1ull << order; i-- > 0;)
            own.frames.give((index + i) * page);
        wanted -= 1ull << order;
    }
}

[[gnu::noinline]] void give_batch_back(Cache& own) BASE_REQUIRES(own.lock) {
    const LockGuard guard(lock);
    // Who frees many frees them mostly in a row: then the last one comes out first, and most need not be joined one by one.
    std::uint64_t end = 0, begin = 0;
    for (unsigned i = own.frames.batch(); i > 0; --i) {
        const std::uint64_t index = own.frames.take() / page;
        if (index + 1 != begin) {
            put_range(begin, end);
            end = index + 1;
        }
        begin = index;
    }
    put_range(begin, end);
}

void use_caches_again() BASE_REQUIRES(lock) {
    if (emptying == 0 && among_buddies >= enough)
        open.store(true, std::memory_order_relaxed);
}

[[gnu::always_inline]] inline std::uint64_t take(Cache& own) BASE_REQUIRES(own.lock) {
    std::uint64_t physical = own.frames.take();
    if (physical == 0) [[unlikely]] {
        fill(own);
        physical = own.frames.take_any();
    }
    if (physical != 0) [[likely]]
        count(own, -1);
    return physical;
}

// From the buddies, or where these have none, after all caches were given back to them. The caches stay empty until there is enough again: so whoever finds no frame here
// knows that there is none, and a node without memory does not look at every processor for each frame.
[[gnu::noinline]] std::uint64_t take_of_all(std::size_t count) {
    {
        const LockGuard guard(lock);
        const std::uint64_t index = take_run(count);
        // Whoever closed the caches emptied them.
        if (index != 0 || (!open.load(std::memory_order_relaxed) && emptying == 0))
            return index;
        open.store(false, std::memory_order_relaxed);
        ++emptying;
    }
    for (std::size_t i = 0; i < arch::cpu_limit.load(std::memory_order_acquire); ++i) {
        const LockGuard cache(caches[i].lock);
        const LockGuard guard(lock);
        while (const std::uint64_t frame = caches[i].frames.take_any())
            put(frame / page, 0);
    }
    const LockGuard guard(lock);
    const std::uint64_t index = take_run(count);
    --emptying;
    use_caches_again();
    return index;
}

[[gnu::noinline]] void give_apart(std::uint64_t physical) {
    const LockGuard guard(lock);
    put(physical / page, 0);
    free_frames.fetch_add(1, std::memory_order_relaxed);
    use_caches_again();
}

// Back to this processor's cache, or where that is not used to the buddies.
void give(std::uint64_t physical) {
    if (open.load(std::memory_order_relaxed)) [[likely]] {
        Cache& own = own_cache();
        const LockGuard guard(own.lock);
        if (open.load(std::memory_order_relaxed)) [[likely]] {
            if (own.frames.is_full()) [[unlikely]]
                give_batch_back(own);
            own.frames.give(physical);
            count(own, 1);
            return;
        }
    }
    give_apart(physical);
}

void begin_reference(std::uint64_t physical) {
    Frame& frame = records[physical / page];
    frame.references.store(1, std::memory_order_relaxed);
    frame.payer = nullptr;
}

// Of what the cache gave, 0 where it had none: then of all there is. Gives 0 where there is none.
[[gnu::always_inline]] inline std::uint64_t begin(std::uint64_t physical) {
    if (physical == 0) [[unlikely]] {
        physical = take_of_all(1) * page;
        if (physical == 0)
            return 0;
    }
    begin_reference(physical);
    return physical;
}

void zero(std::uint64_t physical) { std::memset(reinterpret_cast<void*>(window + physical), 0, page); }

#ifdef KERNEL_CHECKS
void expect_zeroed(std::uint64_t physical) {
    const auto* const words = reinterpret_cast<const std::uint64_t*>(window + physical);
    for (std::size_t i = 0; i < page / sizeof *words; ++i)
        if (words[i] != 0)
            panic("frame %x was zeroed ahead and is not zero", physical);
}
#else
void expect_zeroed(std::uint64_t) {}
#endif

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
    // These records too are memory, which is no device's.
    for (std::uint64_t at = place; at < place + bytes; at += page)
        records[at / page].order_and_flags = flag_memory;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& entry = entries[i];
        if (entry.type == limine::MemoryType::usable) {
            const std::uint64_t begin = entry.base == place ? place + bytes : entry.base;
            // The first MiB is kept for the other CPUs' start code, and no device's either.
            for (std::uint64_t at = entry.base; at < entry.base + entry.length && at < 0x100000; at += page)
                records[at / page].order_and_flags = flag_memory;
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

void start_caches() {
    const std::uint64_t limit = std::min<std::uint64_t>(FrameCache::most, total_frames / (2 * cached_part * arch::cpu_count()));
    for (Cache& cache : caches) {
        const LockGuard own(cache.lock);
        cache.frames.set_limit(static_cast<unsigned>(limit));
    }
    const LockGuard guard(lock);
    enough = limit != 0 ? 4 * limit * arch::cpu_count() : UINT64_MAX;
    use_caches_again();
}

std::uint64_t allocate() {
    std::uint64_t physical = 0;
    if (open.load(std::memory_order_relaxed)) [[likely]] {
        Cache& own = own_cache();
        const LockGuard guard(own.lock);
        physical = take(own);
    }
    return begin(physical);
}

std::uint64_t allocate_zeroed() {
    std::uint64_t physical = 0;
    if (open.load(std::memory_order_relaxed)) [[likely]] {
        Cache& own = own_cache();
        const LockGuard guard(own.lock);
        if (const std::uint64_t ready = own.frames.take_zeroed(); ready != 0) {
            count(own, -1);
            expect_zeroed(ready);
            begin_reference(ready);
            return ready;
        }
        physical = take(own);
    }
    physical = begin(physical);
    if (physical != 0) [[likely]]
        zero(physical);
    return physical;
}

bool zero_ahead() {
    if (!open.load(std::memory_order_relaxed) || base::weakened(base::Weakness::frame_zero))
        return false;
    Cache& own = own_cache();
    // Zeroed under the lock, so that the frame is never where nobody finds it.
    const LockGuard guard(own.lock);
    if (own.frames.has_all_zeroed())
        return false;
    std::uint64_t physical = own.frames.take();
    if (physical == 0) {
        fill(own);
        physical = own.frames.take();
    }
    if (physical == 0)
        return false;
    zero(physical);
    own.frames.give_zeroed(physical);
    return true;
}

bool has_zeroed_ahead(std::size_t cpu) {
    const LockGuard guard(caches[cpu].lock);
    return caches[cpu].frames.has_all_zeroed();
}

std::uint64_t reserve_run(std::size_t count) { return count == 0 || count > (1ull << (orders - 1)) ? 0 : take_of_all(count) * page; }

void begin_use(std::uint64_t physical) {
    begin_reference(physical);
    zero(physical);
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

// One reference less; gives who is charged for the frame, where that was the last and somebody is.
[[gnu::always_inline]] static inline Quota* let_go(std::uint64_t physical) {
    Frame& frame = of(physical);
    if (frame.references.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return nullptr;
    Quota* const payer = frame.payer;
    frame.payer = nullptr;
    give(physical);
    return payer;
}

void release(std::uint64_t physical) {
    if (Quota* const payer = let_go(physical))
        release_frame_charges(*payer, 1);
}

// Not inlined: it would give every operation on a table a larger frame.
[[gnu::noinline]] void release_all(std::span<const std::uint64_t> list) {
    // Most have the same payer, who stays as long as it is charged, and is told once.
    Quota* payer = nullptr;
    std::uint32_t charges = 0;
    for (const std::uint64_t physical : list) {
        Quota* const own = let_go(physical);
        if (own == nullptr)
            continue;
        if (own != payer && charges != 0) {
            release_frame_charges(*payer, charges);
            charges = 0;
        }
        payer = own;
        ++charges;
    }
    if (charges != 0)
        release_frame_charges(*payer, charges);
}

std::uint64_t free_count() {
    std::uint64_t sum = free_frames.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < arch::cpu_limit.load(std::memory_order_acquire); ++i)
        sum += static_cast<std::uint64_t>(caches[i].change.load(std::memory_order_relaxed));
    return sum;
}
std::uint64_t total_count() { return total_frames; }
std::uint64_t top() { return record_count * page; }

} // namespace kernel::frames
