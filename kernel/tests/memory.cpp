// Frames, heap, stacks and the clock, inside the booted kernel.
#include "kernel/arch/apic.hpp"
#include "kernel/arch/clock.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/tests/harness.hpp"

namespace kernel {

KERNEL_TEST(frames_come_back) {
    const std::uint64_t before = frames::free_count();
    std::uint64_t list[64];
    for (auto& frame : list) {
        frame = frames::allocate();
        EXPECT(frame != 0 && frames::is_memory(frame));
    }
    EXPECT(frames::free_count() == before - 64);
    for (const auto frame : list)
        frames::release(frame);
    EXPECT(frames::free_count() == before);
}

KERNEL_TEST(frames_are_counted) {
    const std::uint64_t before = frames::free_count();
    const std::uint64_t frame = frames::allocate_zeroed();
    for (unsigned i = 0; i < 512; ++i)
        EXPECT(direct<std::uint64_t>(frame)[i] == 0);
    frames::retain(frame);
    frames::release(frame);
    EXPECT(frames::free_count() == before - 1);
    frames::release(frame);
    EXPECT(frames::free_count() == before);
}

KERNEL_TEST(runs_are_contiguous_and_come_back) {
    const std::uint64_t before = frames::free_count();
    const std::uint64_t run = frames::allocate_run(37);
    EXPECT(run != 0 && run % (64 * 4096) == 0);
    EXPECT(frames::free_count() == before - 37);
    for (unsigned i = 0; i < 37; ++i)
        frames::release(run + i * 4096);
    EXPECT(frames::free_count() == before);
    EXPECT(frames::allocate_run(0) == 0);
    EXPECT(frames::allocate_run(1ull << 40) == 0);
}

// The other processors have nothing to do here: each that wakes fills its cache before it halts again.
static void let_idle_processors_fill_their_caches() {
    for (std::size_t i = 0; i < arch::cpu_limit.load(); ++i) {
        if (&arch::cpu(i) == &arch::this_cpu() || !arch::cpu(i).online.load())
            continue;
        arch::send_interrupt(arch::cpu(i).apic_id, arch::vector::reschedule);
        while (!frames::has_zeroed_ahead(i))
            __builtin_ia32_pause();
    }
}

KERNEL_TEST(all_memory_is_found_and_comes_back) {
    let_idle_processors_fill_their_caches();
    const std::uint64_t before = frames::free_count();
    std::uint64_t list = 0, taken = 0;
    while (const std::uint64_t frame = frames::allocate()) {
        *direct<std::uint64_t>(frame) = list;
        list = frame;
        ++taken;
    }
    EXPECT(taken == before);
    EXPECT(frames::free_count() == 0);
    EXPECT(frames::allocate_zeroed() == 0);
    EXPECT(frames::reserve_run(1) == 0);
    EXPECT(!frames::zero_ahead());
    while (list != 0) {
        const std::uint64_t next = *direct<std::uint64_t>(list);
        frames::release(list);
        list = next;
        --taken;
    }
    EXPECT(taken == 0);
    EXPECT(frames::free_count() == before);
}

// A run lies in parts in a cache, and there is no other one of its size.
KERNEL_TEST(runs_are_found_where_caches_have_parts_of_them) {
    constexpr std::uint64_t pages = 1 << 12;
    const std::uint64_t before = frames::free_count();
    std::uint64_t list = 0, last = 0, runs = 0;
    while (const std::uint64_t run = frames::reserve_run(pages)) {
        for (std::uint64_t i = 0; i < pages; ++i)
            frames::retain(run + i * 4096);
        *direct<std::uint64_t>(run) = list;
        list = last = run;
        ++runs;
    }
    EXPECT(runs > 0);
    EXPECT(frames::free_count() == before - runs * pages);
    const auto give_back = [](std::uint64_t run) {
        for (std::uint64_t i = 0; i < pages; ++i)
            frames::release(run + i * 4096);
    };
    if (last != 0) {
        list = *direct<std::uint64_t>(last);
        give_back(last);
        const std::uint64_t again = frames::reserve_run(pages);
        EXPECT(again != 0);
        for (std::uint64_t i = 0; again != 0 && i < pages; ++i)
            frames::retain(again + i * 4096);
        if (again != 0)
            give_back(again);
    }
    while (list != 0) {
        const std::uint64_t next = *direct<std::uint64_t>(list);
        give_back(list);
        list = next;
    }
    EXPECT(frames::free_count() == before);
}

// Each once, and zero, whoever had it before.
KERNEL_TEST(frames_zeroed_ahead_are_zero) {
    const std::uint64_t before = frames::free_count();
    std::uint64_t list[128];
    for (auto& frame : list) {
        frame = frames::allocate();
        EXPECT(frame != 0);
        for (unsigned i = 0; i < 512; ++i)
            direct<std::uint64_t>(frame)[i] = ~std::uint64_t{0};
    }
    for (const auto frame : list)
        frames::release(frame);
    unsigned ahead = 0;
    while (ahead < 1000 && frames::zero_ahead())
        ++ahead;
    EXPECT(ahead > 0 && ahead < 128);
    EXPECT(frames::free_count() == before);
    for (auto& frame : list) {
        frame = frames::allocate_zeroed();
        for (unsigned i = 0; i < 512; ++i)
            EXPECT(direct<std::uint64_t>(frame)[i] == 0);
        EXPECT(frames::of(frame).references.load() == 1);
        direct<std::uint64_t>(frame)[0] = 1;
    }
    for (const auto frame : list)
        frames::release(frame);
    EXPECT(frames::free_count() == before);
}

KERNEL_TEST(heap_blocks_do_not_overlap) {
    const std::uint64_t before = frames::free_count();
    static heap::Pool pool(nullptr);
    unsigned char* blocks[200];
    for (unsigned i = 0; i < 200; ++i) {
        blocks[i] = static_cast<unsigned char*>(pool.allocate(16 + i * 10));
        EXPECT(blocks[i] != nullptr && blocks[i][0] == 0 && blocks[i][15 + i * 10] == 0);
        for (unsigned k = 0; k < 16 + i * 10; ++k)
            blocks[i][k] = static_cast<unsigned char>(i);
    }
    for (unsigned i = 0; i < 200; ++i)
        for (unsigned k = 0; k < 16 + i * 10; ++k)
            EXPECT(blocks[i][k] == static_cast<unsigned char>(i));
    for (unsigned i = 0; i < 200; ++i)
        heap::release(blocks[i], 16 + i * 10);
    EXPECT(frames::free_count() == before);
}

// Whatever becomes of the blocks, a page that one of them keeps is charged; and a page that none keeps is not.
KERNEL_TEST(a_pool_is_charged_for_its_pages) {
    constexpr unsigned count = 150;
    static void* blocks[count];
    const auto made = Quota::create(base::Ref<Quota>(Quota::root()), 2 * count);
    EXPECT(made);
    Quota& quota = **made;
    const std::uint64_t charged = Quota::root().node().used();
    for (const std::size_t bytes : {1, 32, 33, 64, 65, 200, 257, 512, 513, 1025, 2048, 2049, 4097}) {
        const std::uint64_t before = frames::free_count();
        const auto exact = [&] { return before - frames::free_count() == quota.node().used(); };
        for (void*& block : blocks) {
            block = quota.pool().allocate(bytes);
            EXPECT(block != nullptr && exact());
        }
        for (unsigned left = 0; left < 8; ++left)
            for (unsigned i = left; i < count; i += 8) {
                heap::release(blocks[i], bytes);
                EXPECT(exact());
            }
        EXPECT(quota.node().used() == 0 && quota.has_one_reference());
    }
    EXPECT(Quota::root().node().used() == charged);
}

// A refusal leaves nothing behind, neither the quota's nor that of one above it.
KERNEL_TEST(a_pool_ends_at_its_quotas_limit) {
    const auto outer = Quota::create(base::Ref<Quota>(Quota::root()), 3);
    EXPECT(outer);
    const auto inner = Quota::create(*outer, 2);
    EXPECT(inner);
    // One of the three pages is the slab in which the inner quota lies.
    void* const first = (*inner)->pool().allocate(2048);
    void* const second = (*inner)->pool().allocate(2048);
    EXPECT(first && second && (*outer)->node().used() == 3);
    const std::uint64_t before = frames::free_count();
    EXPECT(!(*inner)->pool().allocate(2048) && !(*inner)->pool().allocate(1) && !(*inner)->pool().allocate(4096) && !(*inner)->pool().allocate(8192));
    EXPECT(frames::free_count() == before && (*outer)->node().used() == 3 && (*inner)->node().used() == 2);
    heap::release(first, 2048);
    EXPECT(!(*inner)->pool().allocate(8192) && (*inner)->node().used() == 1);
    void* const run = (*inner)->pool().allocate(4096);
    EXPECT(run);
    heap::release(run, 4096);
    heap::release(second, 2048);
    EXPECT((*inner)->node().used() == 0 && (*outer)->node().used() == 1);
}

KERNEL_TEST(stacks_are_used_again) {
    const std::uint64_t first = allocate_stack();
    EXPECT(first != 0 && first % 4096 == 0);
    free_stack(first);
    EXPECT(allocate_stack() == first);
    free_stack(first);
}

KERNEL_TEST(clock_goes_forward) {
    std::uint64_t last = arch::monotonic_nanoseconds();
    for (unsigned i = 0; i < 1000; ++i) {
        const std::uint64_t now = arch::monotonic_nanoseconds();
        EXPECT(now >= last);
        last = now;
    }
}

KERNEL_TEST(processors_are_protected) {
    // Own tables, no-execute, write protection; SMEP and SMAP where the processor has them.
    EXPECT(arch::cpu_count() >= 1);
    EXPECT(arch::this_cpu().loaded_root == kernel_root());
}

} // namespace kernel
