// The machine that this is built for: the layout of a saved vector state.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/vector_area.hpp"
#else
#error "no such machine yet"
#endif
