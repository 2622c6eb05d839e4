// Where a long operation lets others run.
#pragma once

namespace kernel {

// Takes the interrupts that wait and gives the processor away where a better thread is ready. Every loop whose count a user can choose comes here at least each 50 µs.
//
// No lock may be held, and nothing that belongs to this CPU may be kept across. Other threads run meanwhile: what was checked before (a lease's generation, a size, a state
// under a lock) is to be checked again. References that are held stay good.
void preemption_point();

} // namespace kernel
