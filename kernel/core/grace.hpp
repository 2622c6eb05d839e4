// Grace periods: when every CPU has been outside the kernel's objects once.
#pragma once

namespace kernel {

namespace arch {
struct Cpu;
}

// Returns when each other CPU has been at user level, at idle or at a return to them since the call, and looks at its task before it is at user level again. May wait for a tenth of a
// millisecond: rounds serve all who came before they began. No locks held.
void wait_for_grace_period();
// The same of one other CPU, with no other one interrupted.
void wait_for_grace_period_of(arch::Cpu& cpu);

} // namespace kernel
