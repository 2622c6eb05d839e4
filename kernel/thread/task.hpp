// The scheduler's part of a thread: kernel stack, place in a queue, share of the processor.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/entry_state.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/registers.hpp"
#include "kernel/core/deadline_queue.hpp"
#include "kernel/core/dying.hpp"
#include "kernel/core/fair_band.hpp"
#include "kernel/core/mailbox.hpp"
#include "lib/base/list.hpp"
#include "lib/base/result.hpp"

namespace kernel {

class Budget;
class Quota;
class Thread;
struct RunQueue;
struct InRunQueue;

// entry.S finds its EntryState where arch::Cpu::current points to.
class Task : public arch::EntryState, public base::ListNodeOf<InRunQueue>, public FairNode, public DeadlineNode, public MailNode {
public:
    Task(Thread& thread, Budget& budget) : budget_(budget), thread_(thread) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    // A kernel stack, charged to the quota. Errors: no_memory.
    base::Result<void> create(Quota& quota);
    // Frees it. Not by the task itself.
    void destroy(Quota& quota);

    // Makes a new task runnable, on the least loaded CPU of its mask: user mode at `entry` with rdi = argument, rsi = page.
    void start(std::uint64_t entry, std::uint64_t stack, std::uint64_t argument, std::uint64_t page);

    Thread& thread() const { return thread_; }
    // What the last entry from user mode saved.
    arch::Registers& user_registers() const { return *reinterpret_cast<arch::Registers*>(top - sizeof(arch::Registers)); }
    // By the current task alone. The return to user mode takes the frame that is chosen then.
    void use_native_frame() { use_frame(native_top); }
    void use_guest_frame() { use_frame(native_top - sizeof(arch::Registers)); }

    std::uint32_t home() const { return static_cast<std::uint32_t>(place_.load(std::memory_order_seq_cst) & 0xffff); }
    std::uint32_t priority() const { return static_cast<std::uint32_t>(place_.load(std::memory_order_relaxed) >> 16 & 0xffff); }
    // Which state of all rules the priority and the allowed CPUs are of.
    std::uint32_t rules() const { return static_cast<std::uint32_t>(place_.load(std::memory_order_relaxed) >> 32); }
    // Whether both have the same of all three, and neither is to be looked at.
    bool is_beside(const Task& other) const { return arch::holds(place_, other.place_.load(std::memory_order_relaxed)); }
    // The thread's own choice among its budget's CPUs; 0: all. Heeded from sched::apply_choice() on.
    void choose(std::uint64_t cpus) { chosen_.store(cpus, std::memory_order_seq_cst); }
    std::uint64_t chosen() const { return chosen_.load(std::memory_order_seq_cst); }

    Dying dying; // of the object code

    // --- the scheduler's own from here on
    // blocked_in_steps: amid the end of objects, with all on its stack that this needs.
    enum class State : std::uint32_t { created, blocked, blocked_in_steps, ready, running, ended };

    Budget& budget_; // its thread holds it
    std::uint64_t saved_stack_ = 0;
    // home() is changed under the lock of the queue that it leaves; the rest under the home queue's lock, and not while it is in a list of ready ones.
    std::atomic<std::uint64_t> place_ = 0;
    std::uint64_t allowed_ = ~std::uint64_t(0);
    void set_home(std::uint32_t cpu) { place_.store((place_.load(std::memory_order_relaxed) & ~std::uint64_t(0xffff)) | cpu, std::memory_order_seq_cst); }
    void set_rules(std::uint32_t rules, std::uint32_t priority, std::uint64_t allowed) {
        place_.store(std::uint64_t{rules} << 32 | priority << 16 | home(), std::memory_order_relaxed);
        allowed_ = allowed;
    }
    // What it may is looked up before it runs on. In a list too: its priority stays. No two tasks that are to be looked at have the same of it, nor is it the state of any rules.
    void look_again(std::uint32_t unlike_any) { place_.store((place_.load(std::memory_order_relaxed) & 0xffff'ffff) | std::uint64_t{unlike_any} << 32, std::memory_order_relaxed); }
    // The queue's state of all rules when it was put among its ready ones: of another state, it waits to be sorted in. Under the home queue's lock.
    static constexpr std::uint32_t unsorted = ~std::uint32_t(0);
    std::uint32_t sorted_ = unsorted;
    bool armed_above_ = false; // in which of its home's deadlines it is, by the priority that it had then
    // Changed under the home queue's lock; looked at without it by who wakes the task.
    std::atomic<State> state_ = State::created;
    // A wake-up that came while the task ran: once, it does not sleep.
    std::atomic<bool> wake_pending_ = false;
    bool take_wake() { return wake_pending_.load(std::memory_order_seq_cst) && wake_pending_.exchange(false, std::memory_order_acq_rel); }
    static bool is_asleep(State state) { return state == State::blocked || state == State::blocked_in_steps; }
    // By the task itself, its home queue's lock held. False where a wake-up is pending, which that is the end of: it runs on. What a waker does first is looked at last here.
    bool fall_asleep(State how) {
        state_.store(how, std::memory_order_seq_cst);
        if (!take_wake()) return true;
        state_.store(State::running, std::memory_order_relaxed);
        return false;
    }
    // The same where no wake-up matters but what `attention` names, `harmless` aside: who wakes it for that has set it before. Others may wake it as fast as it comes here.
    bool fall_asleep_unless(std::uint32_t harmless) {
        state_.store(State::blocked, std::memory_order_seq_cst);
        (void)take_wake();
        if ((attention.load(std::memory_order_seq_cst) & ~harmless) == 0) return true;
        state_.store(State::running, std::memory_order_relaxed);
        return false;
    }
    // Its home queue's lock held. Whether it sleeps, and is to be made ready; else it is not to sleep the next time.
    bool must_be_woken() {
        if (is_asleep(state_.load(std::memory_order_relaxed))) return (void)take_wake(), true;
        wake_pending_.store(true, std::memory_order_seq_cst);
        return false;
    }
    // The first half of that, without the lock: whether the task sleeps, or is about to, so that its home has to do the rest.
    bool needs_its_home() {
        wake_pending_.store(true, std::memory_order_seq_cst);
        return is_asleep(state_.load(std::memory_order_seq_cst));
    }
    std::uint64_t used_ = 0; // nanoseconds up to `since_`
    std::uint64_t since_ = 0;
    std::uint64_t saved_fs_ = 0;
    std::uint64_t saved_gs_ = 0;

private:
    void use_frame(std::uint64_t frame_top) {
        top = frame_top;
        arch::set_kernel_stack(frame_top);
    }

    Thread& thread_;
    std::atomic<std::uint64_t> chosen_{0};
};

} // namespace kernel
