// Frames, heap, stacks and the clock, inside the booted kernel.
#include "kernel/arch/clock.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/arch/physical.hpp"
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

KERNEL_TEST(heap_blocks_do_not_overlap) {
    const std::uint64_t before = frames::free_count();
    unsigned char* blocks[200];
    for (unsigned i = 0; i < 200; ++i) {
        blocks[i] = static_cast<unsigned char*>(heap::allocate(16 + i * 10));
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
