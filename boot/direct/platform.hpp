// What the machine's starter (PVH or Multiboot2) says, in one form.
#pragma once
#include <cstddef>
#include <cstdint>

namespace loader {

struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t type = 0; // E820: 1 usable, 2 reserved, 3 ACPI reclaimable, 4 ACPI NVS, 5 bad
};

struct Display {
    std::uint64_t address = 0;
    std::uint32_t pitch = 0, width = 0, height = 0;
    std::uint8_t bits = 0;
    std::uint8_t red_position = 0, red_size = 0, green_position = 0, green_size = 0, blue_position = 0, blue_size = 0;
};

inline constexpr std::size_t max_ranges = 128;

struct Platform {
    Range ranges[max_ranges];
    std::size_t range_count = 0;
    Range root; // the root image
    std::uint64_t rsdp = 0;
    const char* command_line = "";
    Display display; // address 0: none
    Range information; // where the starter's own structures lie; must not be overwritten
};

inline constexpr std::uint32_t kind_pvh = 1;
inline constexpr std::uint32_t kind_multiboot2 = 2;

// Halts where the information is not what `kind` says.
void read_platform(std::uint32_t kind, const void* information, Platform& platform);

// Prints a line to the first serial port.
void print(const char* message);
// The same, and halts.
[[noreturn]] void fatal(const char* message);

} // namespace loader
