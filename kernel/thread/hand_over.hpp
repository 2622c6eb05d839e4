// The processor goes from one task straight to another one of the same CPU, with the rest of the turn: neither queue nor clock is looked at within a budget. What of the turn was used
// is charged later.
#pragma once
#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/domains.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/segments.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/thread/load_roots.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/run_queue.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/thread/vector_state.hpp"
#include "lib/base/weaken.hpp"

namespace kernel::sched {

// Who pays for the turn from now on: the one that asks lends its turn, and takes it back with the answer.
enum class Turn : bool { lent, given_back };

// Where `from`, the current task, may hand over to `to`: true, with the lock of the CPU's queue held. `to` is blocked then, and stays it. False else, without the lock.
[[gnu::always_inline]] inline bool begin_hand_over(RunQueue& queue, const Task& from, const Task& to, Turn turn) BASE_TRY_ACQUIRE(true, queue.lock) {
    if (!queue.lock.try_lock()) return false;
    // Where the rules or its choice changed, a sleeper is looked at when it is woken. A turn that was charged meanwhile is the other one's own from there on.
    if (to.is_beside(from) && to.state_.load(std::memory_order_relaxed) == Task::State::blocked && arch::holds(from.wake_pending_, false) && (turn == Turn::lent || queue.payer != nullptr)) [[likely]]
        return true;
    queue.lock.unlock();
    return false;
}

// What is not as usual keeps away from the registers of the short ways.
#define HAND_OVER_ASIDE [[clang::preserve_most, gnu::noinline, gnu::cold]] inline

// The part of a switch that native code alone does not need: segments' bases, vector registers, the root for whatever half runs. The current task is `to` already.
HAND_OVER_ASIDE void change_guests(Task& from, Task& to) {
    Thread& after = to.thread();
    vector_switch_out(from.thread());
    from.saved_fs_ = arch::fs_base();
    from.saved_gs_ = arch::user_gs_base();
    arch::set_fs_base(to.saved_fs_);
    arch::set_user_gs_base(to.saved_gs_);
    vector_switch_in(after);
    load_roots(after);
    arch::enter_domain(after.process().domain());
}

HAND_OVER_ASIDE void change_process(Thread& after) {
    tlb::load(after.process().roots(), false);
    arch::enter_domain(after.process().domain());
}

// What comes is counted first: what is above both stays active. Both are of the same priority.
HAND_OVER_ASIDE void change_budgets(RunQueue& queue, Task& from, Task& to) BASE_REQUIRES(queue.lock) {
    Budget::Group &before = from.budget_.group(), &after = to.budget_.group();
    after.enter(queue.fair, queue.cpu);
    before.leave(queue.fair, queue.cpu);
    if (!before.runs(queue.cpu)) return;
    before.stop(queue.fair, queue.cpu);
    after.run(queue.fair, queue.cpu);
}

HAND_OVER_ASIDE void wake_soon(Task& task) { wake_at_home(task); }

HAND_OVER_ASIDE void interrupt_here() { arch::send_interrupt(arch::here()->apic_id, arch::vector::reschedule); }

// The switch itself, after begin_hand_over(). `from` is blocked from here on, and runs next at `resume_stack`. The lock is still held: as long as anything on from's stack is in use.
[[gnu::always_inline]] inline void end_hand_over(RunQueue& queue, Task& from, Task& to, Turn turn, std::uint64_t resume_stack) BASE_REQUIRES(queue.lock) {
    Thread& before = Thread::of(from);
    Thread& after = Thread::of(to);
    from.state_.store(Task::State::blocked, std::memory_order_relaxed);
    to.state_.store(Task::State::running, std::memory_order_relaxed);
    if (&from.budget_ != &to.budget_) change_budgets(queue, from, to);
    if (turn == Turn::lent) {
        if (queue.payer == nullptr && !base::weakened(base::Weakness::lender_charge)) queue.payer = &from;
    } else if (queue.payer == &to) {
        queue.payer = nullptr;
    }
    to.since_ = from.since_;
    from.saved_stack_ = resume_stack;
    ++queue.switches;
    // Before the task looks at its kicks and stops: who sets one and then sees another task here sends no interrupt.
    __atomic_store_n(&arch::here()->current, &to, __ATOMIC_SEQ_CST);
    // As Task::fall_asleep, behind the same fence; but who has handed over is not the one that runs on.
    if (!arch::holds(from.wake_pending_, false)) [[unlikely]] wake_soon(from);
    arch::here()->kernel_stack = arch::here()->task_state.stack[0] = to.top;
    if ((reinterpret_cast<std::uint64_t>(before.guest()) | reinterpret_cast<std::uint64_t>(after.guest())) != 0)
        change_guests(from, to);
    else if (&before.process() != &after.process())
        change_process(after);
    // Its stop or suspension waits for the way to user mode, which this is not: an interrupt takes it there.
    if (!arch::holds(to.attention, 0u)) [[unlikely]] interrupt_here();
}

} // namespace kernel::sched
