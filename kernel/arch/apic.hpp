// The machine that this is built for: interrupt controllers and the timer.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/apic.hpp"
#else
#error "no such machine yet"
#endif
