// The machine that this is built for: instructions that C++ has no words for.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/instructions.hpp"
#else
#error "no such machine yet"
#endif
