// The kernel's heap: slabs of power-of-two blocks, each in one frame, and larger blocks as runs of frames. Callers give the size back at release.
#pragma once
#include <bit>
#include <cstddef>

#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/slab.hpp"

namespace kernel {
class Quota;
}

namespace kernel::heap {

// The slabs of one payer. Nobody else's blocks lie in them, so a page that a payer's blocks keep is a page that it is charged for: each slab's frame, from its first block to
// its last, and nothing for the blocks.
class Pool {
public:
    // With null nobody is charged. The payer's slabs keep it alive; the pool is a part of it.
    constexpr explicit Pool(Quota* payer) : payer_(payer) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // Zeroed, aligned to 16 (or to a page from 2,049 bytes up); null where the payer or the machine has no memory left. A payer that was destroyed gives a block of a slab that is
    // there. Any context; takes the lock of this pool, and the frames'.
    void* allocate(std::size_t bytes);

private:
    friend void release(void* memory, std::size_t bytes);
    static constexpr std::size_t classes = std::bit_width(Slab::largest_block / Slab::smallest_block);

    void* allocate_run(std::size_t pages);

    SpinLock lock_{LockRank::heap}; // of what is in the slabs as well
    Quota* const payer_;
    SlabList lists_[classes] BASE_GUARDED_BY(lock_);
};

// To the pool that it came from; `bytes` as at the allocation. The payer, or its last reference, may go with it. Any context, no lock of a pool held.
void release(void* memory, std::size_t bytes);

} // namespace kernel::heap
