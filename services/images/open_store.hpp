// The node's image store, for the program that holds it.
#pragma once
#include <memory>

#include "services/images/image_store.hpp"

namespace images {

// Opens the store over the channel `store`. Throws where the channel is not there.
std::unique_ptr<ImageStore> open_store();

} // namespace images
