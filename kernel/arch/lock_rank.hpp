// The order of the kernel's locks. Whoever holds a lock takes only such as stand below it in this list; so no two CPUs wait for each other. The debug configuration checks
// it at every lock; the analysis of lib/base/thread_safety.hpp does not know the order.
#pragma once
#include <cstdint>

namespace kernel {

class SpinLock;

// Outermost first.
enum class LockRank : std::uint8_t {
    // A futex' word is looked up in its space under the lock of its bucket. Two buckets are locked in the order of their addresses.
    futex_bucket,
    // What a space shows is a Memory's. A fork locks the copy as well, which nobody else can.
    space,
    io_space,
    memory,
    // Where threads wait. The lock is held while a wait is ended: under it are the Reply, the server's handles, and the run queue of the thread that is woken.
    endpoint,
    // An interrupt's way to whoever waits for it: the handler runs under the lock of the handlers, masks its source and signals.
    interrupt_handlers,
    irq,
    irq_sources,
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
    // The audit log, which anybody may write to.
    audit_account,
    audit_bell,
    // Memory of the kernel itself, which all of the above take and give back.
    kernel_map,
    heap,
    // One at a time.
    frame_cache,
    frames,
    // Registers and the log, which anybody may write to.
    io_apic,
    // The console is fed from the log.
    console,
    log,
};

#ifdef KERNEL_LOCK_RANKS

struct LockRankName {
    LockRank rank;
    const char* name;
};

inline constexpr LockRankName lock_rank_names[] = {
    {LockRank::futex_bucket, "futex_bucket"},
    {LockRank::space, "space"},
    {LockRank::io_space, "io_space"},
    {LockRank::memory, "memory"},
    {LockRank::endpoint, "endpoint"},
    {LockRank::interrupt_handlers, "interrupt_handlers"},
    {LockRank::irq, "irq"},
    {LockRank::irq_sources, "irq_sources"},
    {LockRank::notification, "notification"},
    {LockRank::port_binding, "port_binding"},
    {LockRank::port, "port"},
    {LockRank::lease_tree, "lease_tree"},
    {LockRank::process_list, "process_list"},
    {LockRank::process, "process"},
    {LockRank::handle_table, "handle_table"},
    {LockRank::reply, "reply"},
    {LockRank::budget, "budget"},
    {LockRank::run_queue, "run_queue"},
    {LockRank::arrivals, "arrivals"},
    {LockRank::budget_pool, "budget_pool"},
    {LockRank::audit_account, "audit_account"},
    {LockRank::audit_bell, "audit_bell"},
    {LockRank::kernel_map, "kernel_map"},
    {LockRank::heap, "heap"},
    {LockRank::frame_cache, "frame_cache"},
    {LockRank::frames, "frames"},
    {LockRank::io_apic, "io_apic"},
    {LockRank::console, "console"},
    {LockRank::log, "log"},
};

constexpr const char* name_of(LockRank rank) {
    for (const LockRankName& known : lock_rank_names)
        if (known.rank == rank)
            return known.name;
    return "nameless";
}

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
