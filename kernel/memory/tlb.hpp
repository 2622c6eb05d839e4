// Translation look-aside buffers: what CPUs have loaded, and one shoot-down path for everything. What is decided here is in core/tlb_state.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernel/core/tlb_state.hpp"

namespace kernel::tlb {

// Makes a root of the pair this CPU's. A pair ends where no CPU has it loaded. Interrupts off.
void load(const RootPair& pair, bool guest_runs);
// Whether this CPU has it.
bool is_loaded(const RootPair& pair);

// After a change to a half's tables, under the lock that its changes are made under: every CPU that may use what was there before forgets the half, or these pages of it, which is
// at most all that it remembers. Returns when all have done it. Callable with locks held: CPUs that spin serve the request.
void forget(TranslatedHalf& half);
void forget_pages(TranslatedHalf& half, const std::uint64_t* addresses, std::size_t count);
// Forgets all translations, the kernel's global ones too, on every CPU, idle or not; returns when all have done it. For what was unmapped from the kernel's own tables.
// Callable with locks held, as above.
void flush_kernel_everywhere();
// What other CPUs have asked this one for.
void flush_asked();

} // namespace kernel::tlb
