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

void offer_waiting(RunQueue& queue) BASE_REQUIRES(queue.lock);
// Somebody computes on its CPU, or is about to: what is ready beside may run elsewhere. Asks one idle CPU to take of it.
inline void offer(RunQueue& queue) BASE_REQUIRES(queue.lock) {
    if (queue.occupied != 0) [[unlikely]]
        offer_waiting(queue);
}

// By an idle CPU, no locks held. Takes one task of the fullest queue that has one for it to its own arrivals; gives whether there was one.
bool pull(RunQueue& own);

// How often the rules of any budget changed. Below 2^31, from 1.
extern constinit std::atomic<std::uint32_t> rules;

// The queue's lock held, or before the start.
void renew_rules(Task& task);
// A task of that queue, in that state, has chosen other CPUs. Gives whether it runs against that, so that its CPU has to be told.
bool choose(RunQueue& queue, Task& task, Task::State state) BASE_REQUIRES(queue.lock);
// Of the CPUs of a mask; the first of all where none is there.
std::uint32_t least_loaded(std::uint64_t cpus);
// In no list. Brings up to date what the task may; gives whether it may be on that CPU.
inline bool may_stay(RunQueue& queue, Task& task) BASE_REQUIRES(queue.lock) {
    if (task.rules() != rules.load(std::memory_order_acquire)) [[unlikely]]
        renew_rules(task);
    return (task.allowed_ >> queue.cpu & 1) != 0;
}
// A new task, in no list and counted nowhere: its home, another CPU's, puts it among its ready ones, where it begins with what the others of its budget have had.
void send_new(RunQueue& to, Task& task) BASE_REQUIRES(to.lock);
// The task is counted as ready there, and in no list. It goes to a CPU of its mask, which is told.
void send_away(RunQueue& from, Task& task) BASE_REQUIRES(from.lock);

inline bool is_unsorted(RunQueue& queue) BASE_REQUIRES(queue.lock) {
    return queue.arrivals.any() || !queue.unsorted[0].empty() || !queue.unsorted[1].empty();
}
void sort_in_step(RunQueue& queue) BASE_REQUIRES(queue.lock);
// By its CPU. Makes tasks that came here ready, and looks again at those whose rules changed; what is too much for one step is left for the next,
// and the CPU told to take it soon.
inline void sort_in(RunQueue& queue) BASE_REQUIRES(queue.lock) {
    if (queue.rules != rules.load(std::memory_order_acquire) || is_unsorted(queue)) [[unlikely]]
        sort_in_step(queue);
}

} // namespace kernel::migration
