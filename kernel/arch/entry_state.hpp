// The machine that this is built for: what its entry code needs of a thread.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/entry_state.hpp"
#else
#error "no such machine yet"
#endif
