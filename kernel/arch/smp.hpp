// The machine that this is built for: bringing up the processors.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/smp.hpp"
#else
#error "no such machine yet"
#endif
