// The machine that this is built for: what a CPU does while it spins.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/relax.hpp"
#else
#error "no such machine yet"
#endif
