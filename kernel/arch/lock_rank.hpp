// The order of the kernel's locks. Whoever holds a lock takes only such as stand below it in this list; so no two CPUs wait for each other. The debug configuration checks
// it at every lock; the analysis of lib/base/thread_safety.hpp does not know the order.
#pragma once
#include <cstdint>
#ifdef KERNEL_LOCK_RANKS
#include <iterator>
#endif

namespace kernel {

class SpinLock;

// Outermost first.
enum class LockRank : std::uint8_t {
    // An interrupt's way to whoever waits for it: the handler runs under the lock of the handlers, masks its source and signals.
    interrupt_handlers,
    irq,
    irq_sources,
    // A futex' word is looked up in its space under the lock of its bucket. Two buckets are locked in the order of their addresses.
    futex_bucket,
    // What a space shows is a Memory's. A fork locks the copy as well, which nobody else can.
    space,
    io_space,
    memory,
    // Where threads wait. The lock is held while a wait is ended: under it are the Reply, the server's handles, and the run queue of the thread that is woken.
    endpoint,
    notification,
    port_binding,
    port,
    // Uses are linked to leases under their owner's lock, and a revocation ends waits under the tree's.
    lease_tree,
    process_list,
    // Whoever wakes a thread may have its last reference: the end of a thread and of its process comes here, under any of the locks above.
    process,
    handle_table,
    reply,
    budget,
    // One run queue at a time: a task moves by the arrivals of the other one.
    run_queue,
    arrivals,
    budget_pool,
    // Memory of the kernel itself, which all of the above take and give back.
    kernel_map,
    heap,
    frames,
    // Registers and the log, which anybody may write to.
    io_apic,
    log,
};

#ifdef KERNEL_LOCK_RANKS

inline constexpr const char* lock_rank_names[] = {
    "interrupt_handlers", "irq",          "irq_sources",  "futex_bucket", "space",  "io_space", "memory",    "endpoint", "notification", "port_binding", "port", "lease_tree",
    "process_list",       "process",      "handle_table", "reply",        "budget", "run_queue", "arrivals", "budget_pool", "kernel_map", "heap",        "frames", "io_apic",
    "log",
};
static_assert(std::size(lock_rank_names) == static_cast<std::size_t>(LockRank::log) + 1);

// What each CPU holds. A lock is checked before it is waited for; panics, with the names of both, where one is held that does not stand above it.
namespace lock_ranks {
void check(LockRank rank);
// One of the rank that is the innermost one held already.
void check_beside(LockRank rank);
void note_taken(const SpinLock& lock, LockRank rank);
void note_released(const SpinLock& lock, LockRank rank);
void expect_held(const SpinLock& lock, LockRank rank);
// `place`: what is not to be done with a lock held.
void expect_none(const char* place);
} // namespace lock_ranks

#else

namespace lock_ranks {
inline void expect_none(const char*) {}
} // namespace lock_ranks

#endif

} // namespace kernel
