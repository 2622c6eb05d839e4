// Where a long operation lets others run.
#pragma once

namespace kernel {

// Takes the interrupts that wait and gives the processor away where a better thread is ready. Every loop whose count a user can choose comes here at least each 50 µs.
//
// No lock may be held, and nothing that belongs to this CPU may be kept across. Other threads run meanwhile: what was checked before (a lease's generation, a size, a state
// under a lock) is to be checked again. References that are held stay good.
void preemption_point();

// Whether the current thread does not go back to user mode: what it asked for may stop half-way where nothing is left of that.
bool caller_ends();
// Whether the current thread runs above the fair band, where servers are.
bool caller_goes_first();

// For a loop that waits for what another thread is at work on: sleeps, the longer the more attempts (from 0) there were, so that a thread of any lower priority on the same
// CPU comes to its end meanwhile. A kick does not end it. As at a preemption point, no lock may be held.
void wait_for_turn(unsigned attempt);

} // namespace kernel
