#pragma once
#include "tests/explore/waits/machine.hpp"

namespace kernel::arch {
inline void relax() { explore::stop_spinning(); }
} // namespace kernel::arch
