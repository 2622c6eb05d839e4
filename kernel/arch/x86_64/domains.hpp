// The border between domains in what the processor remembers. A domain is code that trusts itself alone: one container's personality with all its guests.
#pragma once
#include <cstdint>

#include "kernel/arch/x86_64/mitigations.hpp"

namespace kernel::arch {

// On each CPU, before it runs user mode. The first CPU's choice is everyone's.
void start_domains();
const Mitigations& mitigations();
// Before code of `domain` runs on this CPU, interrupts off. 0: trusted code. Number: the process'.
void enter_domain(std::uint64_t domain);

} // namespace kernel::arch
