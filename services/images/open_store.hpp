// The node's image store, for the program that holds it.
#pragma once
#include <memory>

#include "services/images/image_store.hpp"

namespace images {

// Opens the store. Its layers lie in the memory of the program's sandbox, and take at most three quarters of what the
// sandbox may have.
std::unique_ptr<ImageStore> open_store();

} // namespace images
