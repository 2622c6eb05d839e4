// The machine that this is built for: what the kernel reads from the firmware.
#pragma once
#if defined(__x86_64__)
#include "kernel/arch/x86_64/acpi.hpp"
#else
#error "no such machine yet"
#endif
