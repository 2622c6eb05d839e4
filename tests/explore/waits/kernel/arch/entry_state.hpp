// Of what entry code needs of a thread, the part that decides about waits: attention is shared, so every access of it is a step.
#pragma once
#include <cstdint>

#include "tests/explore/waits/machine.hpp"

namespace kernel::arch {

struct EntryState {
    std::uint64_t top = 0;
    std::uint64_t native_top = 0;
    void* guest = nullptr;
    explore::SharedAtomic<std::uint32_t> attention{0};

    bool restricted() const { return top != native_top; }
};

} // namespace kernel::arch
