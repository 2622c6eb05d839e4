// The platform that a client asks for.
#pragma once
#include <string_view>

namespace engine {

// "" (any), "linux", "amd64", "linux/amd64" and their like, with or without a variant, or an object {"os", "architecture", "variant"} as JSON. Throws ApiError 400 where that is not what
// this node runs.
void check_platform(std::string_view text);

} // namespace engine
