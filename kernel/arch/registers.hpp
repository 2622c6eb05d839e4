// The machine that this is built for: the registers of an interrupted program.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/registers.hpp"
#else
#error "no such machine yet"
#endif
