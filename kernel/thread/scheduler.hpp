// Which thread runs: a queue for each CPU, fixed priorities above a weighted fair band. A thread belongs to its home CPU, which wakes it; others ask it to.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/core/wait_state.hpp"
#include "kernel/thread/task.hpp"

namespace kernel {

class Thread;

namespace sched {

inline Thread& current_thread() { return arch::here()->current->thread(); }

// Sleeps until `wait` is complete. The deadline ends it with timed_out, if nobody else has claimed it. No locks held.
void wait_until(Task& self, abi::Deadline deadline, WaitState& wait);
// Sleeps until the next wake. Spurious returns are allowed: callers loop.
void block();
// Makes a task runnable, or its next block() return at once; on another CPU soon after. Any CPU, any lock but queue locks. The caller has a reference of its thread.
void wake(Task& task);
// The same, by an interrupt of the task's home: also with a queue's lock held.
void wake_at_home(Task& task);
// What the task has used so far, and others for it on its turns. No locks held.
std::uint64_t processor_nanoseconds(const Task& task);
// Makes a task that is in user mode come into the kernel soon.
void interrupt(Task& task);
// Gives the processor to the next ready thread of the same rank.
void yield();
// Whether switch_if_due() has to look.
inline bool is_switch_due() { return arch::here()->reschedule; }
// Switches where a better thread is ready or the slice is over; false where not. `leaving`: on the way to user mode with nothing held, where a thread whose budget is used
// up waits for the next period; true then, even if something else woke it. Interrupts off.
bool switch_if_due(bool leaving = false);
// The current thread's end: its own reference is released once its stack is not used any more.
[[noreturn]] void exit_current();
// Loads the roots of the task, where it is the current one.
void load_roots(Task& task);
// Leaves whatever space this CPU is in, until a switch: by a thread that ends, before its process' space may go.
void load_kernel_roots();

// The CPUs that are there, as a mask.
std::uint64_t processors();
// After rules (priority, CPUs) of a budget changed: at return no thread runs against them. Every CPU is interrupted. No locks held.
void apply_rules();
// After a started task chose other CPUs: at return it runs on none but those. Nobody is interrupted but its home, and that only where it runs there against its choice. No locks held.
void apply_choice(Task& task);
// After a budget got a limit: what runs below it is looked at now, and not when its processor has something else to do. Every CPU is interrupted. No locks held.
void look_again_everywhere();
// What a thread does first that comes out of a switch in a way of its own.
void after_switch();

// Timer and reschedule interrupts.
void on_timer();
void on_reschedule();

void initialize_queue(std::uint32_t cpu);
// What a CPU does when there is nothing to do. Never returns.
[[noreturn]] void idle();

} // namespace sched
} // namespace kernel
