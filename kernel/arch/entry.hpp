// The machine that this is built for: the bits of a page-table entry.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/entry.hpp"
#else
#error "no such machine yet"
#endif
