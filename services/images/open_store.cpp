#include "services/images/open_store.hpp"

#include <cerrno>
#include <cstring>
#include <sys/sysinfo.h>

#include "services/images/store.hpp"

namespace images {

namespace {

constexpr std::uint64_t program_memory = 64 << 20; // what the program itself may need

} // namespace

std::unique_ptr<ImageStore> open_store() {
    struct sysinfo system{};
    if (::sysinfo(&system) != 0) throw ImageError(500, std::string("cannot tell the memory: ") + std::strerror(errno));
    const std::uint64_t memory = std::uint64_t{system.totalram} * system.mem_unit;
    return std::make_unique<Store>(
        std::make_unique<MemoryBlobs>(memory > 2 * program_memory ? memory - program_memory : memory / 2));
}

} // namespace images
