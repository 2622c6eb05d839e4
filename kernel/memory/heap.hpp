// The kernel's heap: power-of-two slabs over frames, larger blocks as runs of frames. Callers give the size back at release.
#pragma once
#include <cstddef>

namespace kernel::heap {

// Zeroed, aligned to 16 (or to a page from 2,049 bytes up); null where memory is exhausted. Any context.
void* allocate(std::size_t bytes);
// `bytes` as at the allocation.
void release(void* memory, std::size_t bytes);

} // namespace kernel::heap
