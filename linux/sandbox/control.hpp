// The sandbox' side of its control ring (abi/sandbox.hpp): commands of runtime, events for it.
#pragma once
#include "lib/ring/pair.hpp"

namespace personality {

// Serves commands until runtime hangs up; then there is nothing left to live for. Lock not held. Does not return but for a broken ring.
void serve_control(ring::Pair control);

} // namespace personality
