// The machine that this is built for: copies from and to user mode.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/copy_user.hpp"
#else
#error "no such machine yet"
#endif
