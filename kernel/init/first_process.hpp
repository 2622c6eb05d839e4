// Makes the first process from the boot modules.
#pragma once
#include <cstdint>
#include <string_view>

namespace kernel {

// What the loader handed over, copied out of its memory.
struct BootImages {
    std::uint64_t init = 0;       // physical address of the first program's ELF file; page-aligned
    std::uint64_t init_size = 0;
    std::uint64_t root = 0;       // of the root image; 0 where there is none
    std::uint64_t root_size = 0;
    std::uint64_t rsdp = 0;       // physical; 0 where there is none
    std::uint64_t clock = 0;      // frame of the clock page
    std::string_view command_line;
};

// Creates the process with the root capabilities and starts its thread. Once, when everything else of the kernel is up; panics where the images do not allow it: without a
// first program there is nothing to run.
void start_first_process(const BootImages& images);

} // namespace kernel
