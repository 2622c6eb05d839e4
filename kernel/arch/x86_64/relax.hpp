// What a CPU does while it spins.
#pragma once
#include "lib/base/weaken.hpp"

namespace kernel::arch {

// Serves the TLB shoot-downs addressed to this CPU. Safe with any lock held: it takes none.
void serve_shootdowns();

inline void relax() {
    __builtin_ia32_pause();
    if (!base::weakened(base::Weakness::spin_serves)) serve_shootdowns();
}

} // namespace kernel::arch
