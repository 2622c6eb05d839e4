// Tasks that change their CPU: idle CPUs take what is ready elsewhere. The scheduler's own. Only ready tasks move, whose stacks are in use nowhere.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/thread/run_queue.hpp"

namespace kernel::migration {

extern constinit std::atomic<std::uint64_t> idle_cpus;

// By a CPU without work, before it looks at its queue for the last time.
inline void set_idle(std::uint32_t cpu) { idle_cpus.fetch_or(1ull << cpu, std::memory_order_seq_cst); }
inline void clear_idle(std::uint32_t cpu) { idle_cpus.fetch_and(~(1ull << cpu), std::memory_order_seq_cst); }
// Whether there is a CPU that could take something.
inline bool is_wanted() { return idle_cpus.load(std::memory_order_relaxed) != 0; }

void offer_waiting(RunQueue& queue);
// Queue lock held. Somebody computes on its CPU, or is about to: what is ready beside may run elsewhere. Asks one idle CPU to take of it.
inline void offer(RunQueue& queue) {
    if (queue.occupied != 0) [[unlikely]]
        offer_waiting(queue);
}

// By an idle CPU, no locks held. Takes one task of the fullest queue that has one for it to its own arrivals; gives whether there was one.
bool pull(RunQueue& own);

// The queue's lock held, by its CPU. Makes the tasks that came here ready.
void receive_all(RunQueue& queue);
inline void receive(RunQueue& queue) {
    if (__atomic_load_n(&queue.arrivals.any, __ATOMIC_ACQUIRE)) [[unlikely]]
        receive_all(queue);
}

} // namespace kernel::migration
