// The machine that this is built for: the segment bases of user mode.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/segments.hpp"
#else
#error "no such machine yet"
#endif
