// The machine that this is built for: the monotonic clock.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/clock.hpp"
#else
#error "no such machine yet"
#endif
