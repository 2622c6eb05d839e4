// Randomness of the sandbox: a generator of its own, seeded from the node's entropy source.
#pragma once
#include "abi/types.hpp"
#include "lib/base/result.hpp"

#include <cstddef>
#include <span>

namespace personality {

// Takes a seed from the node. Once, before the first guest. Errors: those of the call.
base::Result<void> seed_randomness(abi::Handle entropy);

} // namespace personality
