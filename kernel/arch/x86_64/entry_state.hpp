// What entry.S needs of a thread.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/thread_page.hpp"

namespace kernel::arch {

// There are two frames at the top of a thread's kernel stack, native code's and below it the guest's: the switch between the two moves `top` and copies nothing. Written by the
// thread itself with interrupts off, but for `attention`.
struct EntryState {
    std::uint64_t top = 0;        // where the next entry from user mode begins to push
    std::uint64_t native_top = 0; // the same, while native code runs
    // The guest that restricted_enter may run without further preparation, in the kernel's direct map. Null: the general way.
    abi::GuestRegisters* guest = nullptr;
    // What the segment registers hold, but for what a guest that runs makes of them.
    std::uint64_t guest_fs_base = 0;
    std::uint64_t guest_gs_base = 0;
    // Not 0: there is something to do before the return to user mode. Who sets a bit for another thread interrupts its CPU afterwards.
    std::atomic<std::uint32_t> attention{0};

    // Whether a guest runs: the dispatcher of system calls and faults.
    bool restricted() const { return top != native_top; }
};
static_assert(offsetof(EntryState, top) == 0 && offsetof(EntryState, native_top) == 8 && offsetof(EntryState, guest) == 16 &&
              offsetof(EntryState, guest_fs_base) == 24 && offsetof(EntryState, guest_gs_base) == 32 && offsetof(EntryState, attention) == 40);

} // namespace kernel::arch
