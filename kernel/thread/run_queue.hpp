// What is ready on one CPU. The scheduler's own, with migration.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/deadline_queue.hpp"
#include "kernel/core/fair_group.hpp"
#include "kernel/core/mailbox.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/task.hpp"

namespace kernel {

inline constexpr unsigned priorities = 32;

// One lock at a time of those of all queues. Held with interrupts off, as everything.
struct RunQueue {
    SpinLock lock{LockRank::run_queue};
    base::List<Task, InRunQueue> ready[priorities] BASE_GUARDED_BY(lock); // [0]: those of the fair band, as they came; who of them goes first is told by `fair`
    FairLevel fair BASE_GUARDED_BY(lock);
    std::uint32_t fair_ready BASE_GUARDED_BY(lock) = 0;                   // below `fair`
    std::uint32_t occupied BASE_GUARDED_BY(lock) = 0;                     // bit i: somebody is ready of priority i, [0] also of those that are to be looked at again
    DeadlineQueue deadlines[2] BASE_GUARDED_BY(lock);                     // [0] of the fair band, [1] of what is above it, which never waits until many others have been woken
    // Ready before the rules changed: each is looked at again. [0] of the fair band, where they go on meanwhile; [1] of what is above it, the best ones first.
    base::List<Task, InRunQueue> unsorted[2] BASE_GUARDED_BY(lock);
    std::uint32_t rules BASE_GUARDED_BY(lock) = 0;                        // of which state of all rules those in `ready` are
    std::uint32_t load BASE_GUARDED_BY(lock) = 0;                         // ready or running tasks; read without the lock
    std::uint64_t slice_end BASE_GUARDED_BY(lock) = 0;
    std::uint64_t pool_refill BASE_GUARDED_BY(lock) = 0;        // when the empty pool of the running task is filled again
    std::uint64_t timer_due BASE_GUARDED_BY(lock) = abi::never; // when the timer goes off
    std::uint64_t timer_went_off BASE_GUARDED_BY(lock) = 0;     // last
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
        std::uint32_t count BASE_GUARDED_BY(lock) = 0; // read without the lock

        // The task is in no list. Once the lock is free its home is this CPU, whose queue's lock guards it from there on.
        void add(Task& task, std::uint32_t here) {
            const LockGuard guard(lock);
            tasks.push_back(task);
            __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
            task.set_home(here);
        }
        Task* take() {
            const LockGuard guard(lock);
            Task* const task = tasks.pop_front();
            if (task != nullptr) __atomic_store_n(&count, count - 1, __ATOMIC_RELAXED);
            return task;
        }
        bool any() const BASE_NO_THREAD_SAFETY_ANALYSIS { return __atomic_load_n(&count, __ATOMIC_ACQUIRE) != 0; }
    } arrivals;

    // How many tasks compete for it, or soon will. By anybody, without the lock.
    std::uint32_t competing() const BASE_NO_THREAD_SAFETY_ANALYSIS { return __atomic_load_n(&load, __ATOMIC_RELAXED) + __atomic_load_n(&arrivals.count, __ATOMIC_RELAXED); }

    void arm(Task& task, abi::Deadline deadline) BASE_REQUIRES(lock) {
        task.armed_above_ = task.priority() > 0;
        deadlines[task.armed_above_].arm(task, deadline);
    }
    // Harmless where it is not armed.
    void disarm(Task& task) BASE_REQUIRES(lock) { deadlines[task.armed_above_].disarm(task); }
    DeadlineNode* take_due(std::uint64_t now) BASE_REQUIRES(lock) {
        DeadlineNode* const above = deadlines[1].take_due(now);
        return above != nullptr ? above : deadlines[0].take_due(now);
    }

    void add(Task& task) BASE_REQUIRES(lock) {
        occupied |= 1u << task.priority();
        task.sorted_ = rules;
        ready[task.priority()].push_back(task);
        if (task.priority() > 0)
            return;
        ++fair_ready;
        task.budget_.group().add(fair, cpu, task);
    }

    // The one that runs next, of the fair band only where nothing else of that runs.
    Task* take_best() BASE_REQUIRES(lock) {
        if (occupied == 0)
            return nullptr;
        const unsigned index = static_cast<unsigned>(std::bit_width(occupied)) - 1;
        Task* const task = index == 0 ? static_cast<Task*>(Budget::Group::take_first(fair)) : &ready[index].front();
        unlist(index, *task);
        return task;
    }

    // A task that is ready at `index`.
    void take(unsigned index, Task& task) BASE_REQUIRES(lock) {
        if (index == 0)
            task.budget_.group().remove(fair, cpu, task);
        unlist(index, task);
    }
    // One that is out of its band already.
    void unlist(unsigned index, Task& task) BASE_REQUIRES(lock) {
        task.unlink();
        if (index == 0 ? --fair_ready != 0 : !ready[index].empty())
            return;
        occupied &= ~(1u << index);
        if (occupied == 0)
            __atomic_store_n(&offered, false, __ATOMIC_RELAXED);
    }

    // Whether a ready task should run instead of `running`. `expired`: its slice is over.
    bool beats(const Task& running, bool expired) BASE_REQUIRES(lock) {
        if (occupied == 0)
            return false;
        const unsigned best = static_cast<unsigned>(std::bit_width(occupied)) - 1;
        if (best != running.priority())
            return best > running.priority();
        return expired || (best == 0 && running.budget_.group().is_beaten(fair, cpu, running));
    }
};

} // namespace kernel
