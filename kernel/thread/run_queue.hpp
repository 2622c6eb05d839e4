// What is ready on one CPU. The scheduler's own, with migration.
#pragma once
#include <bit>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/deadline_queue.hpp"
#include "kernel/core/fair_clock.hpp"
#include "kernel/thread/task.hpp"

namespace kernel {

inline constexpr unsigned priorities = 32;

// Lock order: inside it are the pools' locks, its arrivals' and the log's; no second queue's. Held with interrupts off, as everything.
struct RunQueue {
    SpinLock lock;
    base::List<Task, InRunQueue> ready[priorities]; // [0] is ordered by virtual time
    std::uint32_t occupied = 0;                     // bit i: ready[i] is not empty
    DeadlineQueue deadlines;
    base::List<Task, InRunQueue> unsorted;          // ready before the rules changed: each is looked at again
    std::uint32_t rules = 0;                        // of which state of all rules those in `ready` are
    std::uint32_t load = 0;                         // ready or running tasks
    FairClock clock;
    std::uint64_t slice_end = 0;
    std::uint64_t pool_refill = 0;        // when the empty pool of the running task is filled again
    std::uint64_t timer_due = abi::never; // when the timer goes off
    Task* moving = nullptr;     // goes to another CPU after the switch, when its stack is not used any more
    Task* ended = nullptr;      // its reference is released after the switch
    std::uint64_t idle_stack = 0;
    std::uint32_t cpu = 0;
    std::uint64_t switches = 0; // since the start; read without the lock
    // Who pays for the time since the running task's `since_`, where that is another: a caller that handed its turn over. It waits, and its home is here.
    Task* payer = nullptr;
    bool offered = false; // somebody ready waits here while another one computes; read without the lock

    // Tasks on the way here. Its lock is taken with that of any queue held.
    struct Arrivals {
        SpinLock lock;
        base::List<Task, InRunQueue> tasks;
        bool any = false; // read without the lock
    } arrivals;

    void add(Task& task) {
        occupied |= 1u << task.priority_;
        if (task.priority_ > 0) {
            ready[task.priority_].push_back(task);
            return;
        }
        task.virtual_time_ = clock.place(task.virtual_time_);
        for (Task& other : ready[0])
            if (other.virtual_time_ > task.virtual_time_) {
                ready[0].insert_before(other, task);
                return;
            }
        ready[0].push_back(task);
    }

    Task* best() {
        return occupied == 0 ? nullptr : &ready[std::bit_width(occupied) - 1].front();
    }

    Task* take_best() {
        if (occupied == 0)
            return nullptr;
        const unsigned index = static_cast<unsigned>(std::bit_width(occupied)) - 1;
        Task& task = ready[index].front();
        take(index, task);
        return &task;
    }

    // A task that is ready at `index`.
    void take(unsigned index, Task& task) {
        ready[index].remove(task);
        if (!ready[index].empty())
            return;
        occupied &= ~(1u << index);
        if (occupied == 0)
            __atomic_store_n(&offered, false, __ATOMIC_RELAXED);
    }

    // Whether a ready task should run instead of `running`. `expired`: its slice is over.
    bool beats(const Task& running, bool expired) {
        Task* const other = best();
        if (other == nullptr)
            return false;
        if (other->priority_ != running.priority_)
            return other->priority_ > running.priority_;
        return expired || (running.priority_ == 0 && FairClock::preempts(other->virtual_time_, running.virtual_time_));
    }
};

} // namespace kernel
