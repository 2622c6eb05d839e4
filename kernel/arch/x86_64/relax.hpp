// What a CPU does while it spins.
#pragma once

namespace kernel::arch {

// Serves the TLB shoot-downs addressed to this CPU. Safe with any lock held: it takes none.
void serve_shootdowns();

inline void relax() {
    __builtin_ia32_pause();
    serve_shootdowns();
}

} // namespace kernel::arch
