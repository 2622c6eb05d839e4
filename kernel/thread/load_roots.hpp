// The page-table root that a thread needs now. Apart from the thread, for it knows the space.
#pragma once
#include "kernel/memory/tlb.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

// Interrupts off.
[[gnu::always_inline]] inline void load_roots(Thread& thread) {
    if (Space* const guest = thread.guest())
        tlb::load(guest->roots(), thread.restricted());
    else
        tlb::load(thread.process().roots(), false);
}
// The same where this CPU had nothing to run.
inline void go_on_to_roots(Thread& thread) {
    if (Space* const guest = thread.guest())
        tlb::go_on(guest->roots(), thread.restricted());
    else
        tlb::go_on(thread.process().roots(), false);
}

} // namespace kernel
