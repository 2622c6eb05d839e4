// The machine that this is built for: the kernel's console.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/console.hpp"
#else
#error "no such machine yet"
#endif
