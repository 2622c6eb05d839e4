// The node's image store, for the program that holds it.
#pragma once
#include <memory>

#include "services/images/image_store.hpp"

namespace images {

// Opens the store. Its layers lie in the node's store server; where there is no channel to one (on a development
// machine), in this program's memory, of which they take at most three quarters.
std::unique_ptr<ImageStore> open_store();

} // namespace images
