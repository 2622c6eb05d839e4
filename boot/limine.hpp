// The Limine boot protocol, base revision 2: what a loader hands to the kernel. Used by the kernel (which asks) and by the project's loaders (which answer).
#pragma once
#include <cstdint>

namespace limine {

inline constexpr std::uint64_t common_magic[2] = {0xc7b1dd30df4c8b88, 0x0a82e883a194f07b};
inline constexpr std::uint64_t base_revision_magic[2] = {0xf9562b2d5c95a6c8, 0x6a7b384944536bdc};
inline constexpr std::uint64_t requests_start[4] = {0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9};
inline constexpr std::uint64_t requests_end[2] = {0xadc0e0531bb10d03, 0x9572709f31764c62};

// The second half of a request's identity.
struct Identity {
    std::uint64_t first, second;
    bool operator==(const Identity&) const = default;
};
inline constexpr Identity hhdm{0x48dcf1cb8ad2b852, 0x63984e959a98244b};
inline constexpr Identity framebuffer{0x9d5827dcd881dd75, 0xa3148604f6fab11b};
inline constexpr Identity memory_map{0x67cf3d9d378a806f, 0xe304acdfc50c3c62};
inline constexpr Identity executable_file{0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69};
inline constexpr Identity executable_address{0x71ba76863cc55f63, 0xb2644a48c516a487};
inline constexpr Identity modules{0x3e7e279702be32af, 0xca1c4f3bd1280cee};
inline constexpr Identity rsdp{0xc5e77b6b397e7b43, 0x27637845accdcf3c};

struct Request {
    std::uint64_t magic[2];
    Identity identity;
    std::uint64_t revision;
    void* response; // filled by the loader; an address it mapped
};

constexpr Request request(Identity identity) { return {{common_magic[0], common_magic[1]}, identity, 0, nullptr}; }

struct HhdmResponse {
    std::uint64_t revision;
    std::uint64_t offset;
};

enum class MemoryType : std::uint64_t {
    usable = 0,
    reserved = 1,
    acpi_reclaimable = 2,
    acpi_nvs = 3,
    bad = 4,
    loader_reclaimable = 5,
    executable_and_modules = 6,
    framebuffer = 7,
};

struct MemoryEntry {
    std::uint64_t base;
    std::uint64_t length;
    MemoryType type;
};

struct MemoryMapResponse {
    std::uint64_t revision;
    std::uint64_t count;
    MemoryEntry** entries;
};

struct File {
    std::uint64_t revision;
    void* address;
    std::uint64_t size;
    char* path;
    char* string; // the command line of the executable, the name of a module
    std::uint32_t media_type;
    std::uint32_t unused;
    std::uint32_t tftp_address;
    std::uint32_t tftp_port;
    std::uint32_t partition_index;
    std::uint32_t mbr_disk_id;
    std::uint8_t gpt_disk_uuid[16];
    std::uint8_t gpt_partition_uuid[16];
    std::uint8_t partition_uuid[16];
};

struct ModulesResponse {
    std::uint64_t revision;
    std::uint64_t count;
    File** files;
};

struct ExecutableFileResponse {
    std::uint64_t revision;
    File* file;
};

struct ExecutableAddressResponse {
    std::uint64_t revision;
    std::uint64_t physical_base;
    std::uint64_t virtual_base;
};

struct RsdpResponse {
    std::uint64_t revision;
    std::uint64_t address; // base revision 2: in the higher-half direct map
};

struct Framebuffer {
    std::uint64_t address;
    std::uint64_t width;
    std::uint64_t height;
    std::uint64_t pitch;
    std::uint16_t bits_per_pixel;
    std::uint8_t memory_model; // 1: RGB
    std::uint8_t red_mask_size, red_mask_shift;
    std::uint8_t green_mask_size, green_mask_shift;
    std::uint8_t blue_mask_size, blue_mask_shift;
    std::uint8_t unused[7];
    std::uint64_t edid_size;
    void* edid;
    std::uint64_t mode_count;
    void** modes;
};

struct FramebufferResponse {
    std::uint64_t revision;
    std::uint64_t count;
    Framebuffer** framebuffers;
};

} // namespace limine
