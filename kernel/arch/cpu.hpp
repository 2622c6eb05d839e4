// The machine that this is built for: what each CPU has for itself.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/cpu.hpp"
#else
#error "no such machine yet"
#endif
