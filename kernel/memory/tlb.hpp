// Translation look-aside buffers: one shoot-down path for everything.
#pragma once
#include <cstdint>

namespace kernel::tlb {

// Forgets all but global translations on this CPU.
void flush_local();
void flush_page_local(std::uint64_t address);
// The same on every CPU that has a user root loaded; returns when all have done it. Callable with locks held: CPUs that spin serve the request.
void flush_everywhere();
// Forgets all translations, the kernel's global ones too, on every CPU, idle or not; returns when all have done it. For what was unmapped from the kernel's own tables.
// Callable with locks held, as above.
void flush_kernel_everywhere();
// What other CPUs have asked this one for.
void flush_asked();

} // namespace kernel::tlb
