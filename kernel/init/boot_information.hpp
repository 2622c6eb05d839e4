// What the loader said, copied out of its memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "boot/limine.hpp"

namespace kernel {

struct BootModule {
    std::uint64_t physical = 0;
    std::uint64_t size = 0;
};

struct BootInformation {
    limine::MemoryEntry memory[256] = {};
    std::size_t memory_count = 0;
    std::uint64_t direct_map = 0; // the loader's
    std::uint64_t kernel_physical = 0;
    BootModule init;
    BootModule root;
    std::uint64_t rsdp = 0; // physical
    limine::Framebuffer framebuffer = {}; // width 0: none
    std::uint64_t framebuffer_physical = 0;
    char command_line[512] = {};

    std::string_view command() const { return command_line; }
    // The value of `key=value` on the command line; empty where there is none.
    std::string_view option(std::string_view key) const;
};

// Reads the loader's answers. Halts with a message on the console where one that the kernel cannot do without is missing.
const BootInformation& read_boot_information();

} // namespace kernel
