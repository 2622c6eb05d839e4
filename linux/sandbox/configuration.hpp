// What the launch record gave this sandbox: fixed from the start on.
#pragma once
#include "abi/types.hpp"

namespace personality {

struct Configuration {
    abi::Handle quota = abi::no_handle; // charged for all guest memory
    abi::Handle budget = abi::no_handle;
    bool fused = false;                 // one page-table root: faster, for a sandbox that needs no protection from itself
};

const Configuration& configuration();

} // namespace personality
