// The machine that this is built for: what keeps domains apart in what the processor remembers.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/domains.hpp"
#else
#error "no such machine yet"
#endif
