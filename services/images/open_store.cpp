#include "services/images/open_store.hpp"

#include <cerrno>
#include <cstring>
#include <sys/sysinfo.h>

#include "services/common/channel.hpp"
#include "services/images/channel_blobs.hpp"
#include "services/images/store.hpp"

namespace images {

namespace {

// The rest is for containers, and for what reads the archives.
constexpr std::uint64_t layer_quarters = 3;

} // namespace

std::unique_ptr<ImageStore> open_store() {
    if (services::channel_exists("store")) return std::make_unique<Store>(std::make_unique<ChannelBlobs>("store"));
    struct sysinfo system{};
    if (::sysinfo(&system) != 0) throw ImageError(500, std::string("cannot tell the memory: ") + std::strerror(errno));
    const std::uint64_t memory = std::uint64_t{system.totalram} * system.mem_unit;
    return std::make_unique<Store>(std::make_unique<MemoryBlobs>(memory / 4 * layer_quarters));
}

} // namespace images
