// Which images an archive describes: manifest.json of `docker save`, or index.json of an OCI layout (image-spec 1.1).
#pragma once
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "services/images/archive.hpp"

namespace images {

struct Description {
    std::string id; // digest of the configuration's text
    nlohmann::json configuration;
    std::vector<std::string> diff_ids; // the lowest first
    std::vector<std::string> files;    // as many: the layers' names in the archive
    std::vector<std::string> names;    // complete, sorted, each once
};

// At least one; all of them for linux/amd64. Throws ImageError 400.
std::vector<Description> describe(const Archive& archive);

} // namespace images
