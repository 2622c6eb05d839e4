// The processor goes from one task straight to another one of the same CPU, with the rest of the turn: neither queue nor clock is looked at.
#pragma once
#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/domains.hpp"
#include "kernel/arch/segments.hpp"
#include "kernel/thread/budget.hpp"
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
    // Where the rules changed, a sleeper is looked at when it is woken.
    if (to.home() != queue.cpu || to.priority_ != from.priority_ || to.rules_ != from.rules_) return false;
    queue.lock.lock();
    // A turn that was charged meanwhile is the other one's own from there on. What ends in steps sleeps too, with all on its stack that it needs.
    if (to.state_ == Task::State::blocked && !to.wake_pending_ && !to.dying.in_steps && !from.wake_pending_ && (turn == Turn::lent || queue.payer != nullptr)) [[likely]]
        return true;
    queue.lock.unlock();
    return false;
}

// The switch itself, after begin_hand_over(). `from` is blocked from here on, and runs next at `resume_stack`. The lock is still held: as long as anything on from's stack is in use.
[[gnu::always_inline]] inline void end_hand_over(RunQueue& queue, Task& from, Task& to, Turn turn, std::uint64_t resume_stack) BASE_REQUIRES(queue.lock) {
    arch::Cpu& cpu = arch::this_cpu();
    Thread& before = from.thread();
    Thread& after = to.thread();
    from.state_ = Task::State::blocked;
    to.state_ = Task::State::running;
    if (&from.budget_ != &to.budget_) {
        --from.budget_.runnable[queue.cpu];
        ++to.budget_.runnable[queue.cpu];
    }
    if (turn == Turn::lent) {
        if (queue.payer == nullptr && !base::weakened(base::Weakness::lender_charge)) queue.payer = &from;
    } else if (queue.payer == &to) {
        queue.payer = nullptr;
    }
    to.since_ = from.since_;
    from.saved_stack_ = resume_stack;
    ++queue.switches;
    // Native code alone has nothing in the segments' bases and the vector registers.
    const bool guests = before.guest() || after.guest();
    if (guests) {
        vector_switch_out(before);
        from.saved_fs_ = arch::fs_base();
        from.saved_gs_ = arch::user_gs_base();
    }
    // Before the task looks at its kicks and stops: who sets one and then sees another task here sends no interrupt.
    __atomic_store_n(&cpu.current, &to, __ATOMIC_SEQ_CST);
    cpu.dying = &to.dying;
    cpu.kernel_stack = cpu.task_state.stack[0] = to.top;
    if (guests) {
        arch::set_fs_base(to.saved_fs_);
        arch::set_user_gs_base(to.saved_gs_);
        vector_switch_in(after);
    }
    if (guests || &before.process() != &after.process()) {
        arch::load_root(root_of(after));
        arch::enter_domain(after.guest() ? after.process().number() : 0);
    }
    // Its stop or suspension waits for the way to user mode, which this is not: an interrupt takes it there.
    if (after.attention() != 0) [[unlikely]] arch::send_interrupt(cpu.apic_id, arch::vector::reschedule);
}

} // namespace kernel::sched
