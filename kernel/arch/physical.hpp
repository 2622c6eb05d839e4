// The machine that this is built for: where the kernel's address space has what.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/physical.hpp"
#else
#error "no such machine yet"
#endif
