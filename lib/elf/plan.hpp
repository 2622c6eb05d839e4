// How a static ELF64 program of the node is loaded: its headers checked, its segments as page ranges. Layouts of the ELF-64 Object File Format, version 1.5.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace elf {

// What a program may be: where its segments may lie.
struct Limits {
    std::uint64_t low;  // first address
    std::uint64_t high; // end
};

struct Segment {
    std::uint64_t address; // of its first byte
    std::uint64_t memory_size;
    std::uint64_t file_offset;
    std::uint64_t file_size; // the rest of memory_size is zero
    abi::Protection protection;

    std::uint64_t first_page() const { return address & ~(abi::page_size - 1); }
    std::uint64_t end_page() const { return (address + memory_size + abi::page_size - 1) & ~(abi::page_size - 1); }
    // The end of the pages that show the file alone: a page that also holds zero-initialised data is not among them.
    std::uint64_t file_pages_end() const;
    bool writable() const { return (protection & abi::protection::write) != 0; }
};

inline constexpr std::size_t max_segments = 16;

struct Plan {
    std::uint64_t entry = 0;
    Segment segments[max_segments] = {};
    std::size_t count = 0;
    std::span<const Segment> all() const { return {segments, count}; }
};

// Bytes from the file's start that `make_plan` needs to see: headers must lie in them.
inline constexpr std::size_t header_bytes = 4096;

// `head`: the file's first bytes (at least min(file_size, header_bytes)). Errors: broken (no ELF file, truncated, contradictory), not_supported (another
// machine, dynamic linking, thread-local storage, memory both writable and executable, too many segments).
base::Result<Plan> make_plan(std::span<const std::byte> head, std::uint64_t file_size, const Limits& limits);

} // namespace elf
