// What is ready on one CPU. The scheduler's own, with migration.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/deadline_queue.hpp"
#include "kernel/core/fair_band.hpp"
#include "kernel/core/fair_clock.hpp"
#include "kernel/core/mailbox.hpp"
#include "kernel/thread/task.hpp"

namespace kernel {

inline constexpr unsigned priorities = 32;

// One lock at a time of those of all queues. Held with interrupts off, as everything.
struct RunQueue {
    SpinLock lock{LockRank::run_queue};
    base::List<Task, InRunQueue> ready[priorities] BASE_GUARDED_BY(lock); // [0] is empty: `fair` instead
    FairBand fair BASE_GUARDED_BY(lock);
    std::uint32_t occupied BASE_GUARDED_BY(lock) = 0;                     // bit i: ready[i] is not empty; 0: `fair`
    DeadlineQueue deadlines[2] BASE_GUARDED_BY(lock);                     // [0] of the fair band, [1] of what is above it, which never waits until many others have been woken
    base::List<Task, InRunQueue> unsorted BASE_GUARDED_BY(lock);          // ready before the rules changed: each is looked at again
    FairBand unsorted_fair BASE_GUARDED_BY(lock);
    std::uint32_t rules BASE_GUARDED_BY(lock) = 0;                        // of which state of all rules those in `ready` are
    std::uint32_t load BASE_GUARDED_BY(lock) = 0;                         // ready or running tasks; read without the lock
    FairClock clock BASE_GUARDED_BY(lock);
    std::uint64_t slice_end BASE_GUARDED_BY(lock) = 0;
    std::uint64_t pool_refill BASE_GUARDED_BY(lock) = 0;        // when the empty pool of the running task is filled again
    std::uint64_t timer_due BASE_GUARDED_BY(lock) = abi::never; // when the timer goes off
    Task* moving BASE_GUARDED_BY(lock) = nullptr;     // goes to another CPU after the switch, when its stack is not used any more
    Task* ended BASE_GUARDED_BY(lock) = nullptr;      // its reference is released after the switch
    std::uint64_t idle_stack = 0;
    std::uint32_t cpu = 0;
    std::uint64_t switches BASE_GUARDED_BY(lock) = 0; // since the start; read without the lock
    // Who pays for the time since the running task's `since_`, where that is another: a caller that handed its turn over. It waits, and its home is here.
    Task* payer BASE_GUARDED_BY(lock) = nullptr;
    bool offered BASE_GUARDED_BY(lock) = false; // somebody ready waits here while another one computes; read without the lock

    Mailbox wakes; // tasks whose home is here, or was, that another CPU has something for. Each holds a reference of its thread

    // Tasks on the way here. Its lock is taken with that of any queue held.
    struct Arrivals {
        SpinLock lock{LockRank::arrivals};
        base::List<Task, InRunQueue> tasks BASE_GUARDED_BY(lock);
        bool any BASE_GUARDED_BY(lock) = false; // read without the lock
    } arrivals;

    void arm(Task& task, abi::Deadline deadline) BASE_REQUIRES(lock) {
        task.armed_above_ = task.priority() > 0;
        deadlines[task.armed_above_].arm(task, deadline);
    }
    // Harmless where it is not armed.
    void disarm(Task& task) BASE_REQUIRES(lock) { deadlines[task.armed_above_].disarm(task); }
    abi::Deadline next_deadline() const BASE_REQUIRES(lock) { return std::min(deadlines[0].next(), deadlines[1].next()); }
    DeadlineNode* take_due(std::uint64_t now) BASE_REQUIRES(lock) {
        DeadlineNode* const above = deadlines[1].take_due(now);
        return above != nullptr ? above : deadlines[0].take_due(now);
    }

    void add(Task& task) BASE_REQUIRES(lock) {
        occupied |= 1u << task.priority();
        task.sorted_ = rules;
        if (task.priority() > 0) {
            ready[task.priority()].push_back(task);
            return;
        }
        task.virtual_time_ = clock.place(task.virtual_time_);
        fair.add(task);
    }

    Task* best() BASE_REQUIRES(lock) {
        if (occupied == 0)
            return nullptr;
        const unsigned index = static_cast<unsigned>(std::bit_width(occupied)) - 1;
        return index == 0 ? static_cast<Task*>(fair.first()) : &ready[index].front();
    }

    Task* take_best() BASE_REQUIRES(lock) {
        Task* const task = best();
        if (task != nullptr)
            take(static_cast<unsigned>(std::bit_width(occupied)) - 1, *task);
        return task;
    }

    // A task that is ready at `index`.
    void take(unsigned index, Task& task) BASE_REQUIRES(lock) {
        if (index == 0)
            fair.remove(task);
        else
            ready[index].remove(task);
        if (index == 0 ? !fair.empty() : !ready[index].empty())
            return;
        occupied &= ~(1u << index);
        if (occupied == 0)
            __atomic_store_n(&offered, false, __ATOMIC_RELAXED);
    }

    // Whether a ready task should run instead of `running`. `expired`: its slice is over.
    bool beats(const Task& running, bool expired) BASE_REQUIRES(lock) {
        Task* const other = best();
        if (other == nullptr)
            return false;
        if (other->priority() != running.priority())
            return other->priority() > running.priority();
        return expired || (running.priority() == 0 && FairClock::preempts(other->virtual_time_, running.virtual_time_));
    }
};

} // namespace kernel
