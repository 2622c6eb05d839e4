// The images of the node: what was loaded, by which names it goes, and where its layers are. The engine uses this
// header and open_store.hpp alone.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace images {

// A failure that a client is told about, with the HTTP status that fits: 400 damaged input, 404 no such image, 409
// conflict, 500 the store failed.
class ImageError : public std::runtime_error {
public:
    ImageError(int status, const std::string& message) : std::runtime_error(message), status(status) {}
    int status;
};

// Immutable once made.
struct Image {
    std::string id;                  // "sha256:" + 64 hexadecimal digits: the digest of the configuration
    nlohmann::json configuration;    // as in the archive (OCI image configuration)
    std::vector<std::string> layers; // diffIDs, the lowest first
    std::vector<std::string> names;  // "repository:tag", sorted
    std::uint64_t size = 0;          // bytes of all layers, uncompressed
    std::int64_t loaded = 0;         // seconds since 1970
};

// A name as a client gives it, completed: "busybox" is "busybox:latest". "docker.io/library/" in front is dropped.
// Throws ImageError 400.
std::string normalize_name(std::string_view name);

// All members may be called from any thread. Failures are ImageErrors.
class ImageStore {
public:
    virtual ~ImageStore() = default;

    // Reads up to `size` bytes into `buffer`, 0 at the end.
    using Reader = std::function<std::size_t(char* buffer, std::size_t size)>;

    // Loads a docker-save archive or an OCI layout, possibly compressed. Gives what was loaded: names, or ids of images
    // without a name. Nothing is left of an archive that is refused.
    virtual std::vector<std::string> load(const Reader& read) = 0;

    virtual std::vector<Image> list() = 0;
    // By name, id, or an unambiguous beginning of an id.
    virtual std::optional<Image> find(std::string_view reference) = 0;
    virtual void tag(std::string_view reference, std::string_view repository, std::string_view tag) = 0;
    struct Removed {
        std::vector<std::string> untagged;
        std::vector<std::string> deleted; // image and layer ids
    };
    // `in_use`: ids of images that containers are made of; deleting one without `force` is a 409.
    virtual Removed remove(std::string_view reference, bool force, const std::vector<std::string>& in_use) = 0;

    // A read-only descriptor of a layer's EROFS image; the caller closes it.
    virtual int open_layer(std::string_view diff_id) = 0;
};

} // namespace images
