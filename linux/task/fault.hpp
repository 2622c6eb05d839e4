// What the processor said about the last fault of a thread: part of the signal frame.
#pragma once
#include <cstdint>

namespace personality {

struct FaultRecord {
    std::uint64_t vector = 0, error = 0, address = 0;
};

} // namespace personality
