// Bits of a page-table entry, hardware's and ours (Intel SDM volume 3, 4.5).
#pragma once
#include <cstdint>

#include "abi/types.hpp"

namespace kernel::entry {

inline constexpr std::uint64_t present = 1ull << 0;
inline constexpr std::uint64_t writable = 1ull << 1;
inline constexpr std::uint64_t user = 1ull << 2;
inline constexpr std::uint64_t write_through = 1ull << 3;
inline constexpr std::uint64_t uncached = 1ull << 4; // cache disable
inline constexpr std::uint64_t accessed = 1ull << 5;
inline constexpr std::uint64_t dirty = 1ull << 6;
inline constexpr std::uint64_t large = 1ull << 7;
inline constexpr std::uint64_t global = 1ull << 8;
inline constexpr std::uint64_t no_execute = 1ull << 63;
inline constexpr std::uint64_t address_mask = 0x000f'ffff'ffff'f000;

// Ours, in entries that are present.
inline constexpr std::uint64_t private_copy = 1ull << 9;  // anonymous or private: a write may copy, a fork shares
inline constexpr std::uint64_t device = 1ull << 10;       // no frame stands behind it
inline constexpr std::uint64_t was_writable = 1ull << 11; // private_copy: the protection asked for includes write
inline constexpr std::uint64_t allow_write = 1ull << 52;  // shared: how far space_protect may go
inline constexpr std::uint64_t allow_execute = 1ull << 53;
// PROT_NONE on a page that exists: the frame is kept, the present bit is off and this is on.
inline constexpr std::uint64_t hidden = 1ull << 54;
// private_copy: the frame is a Memory's whose content may change. Not executable; where the protection asked for includes execute, the first fetch copies.
inline constexpr std::uint64_t changeable = 1ull << 56;
inline constexpr std::uint64_t was_executable = 1ull << 57;

// Entries that are not present: nothing (0), a hidden frame, or a demand-zero mark, which stands for the whole range that the entry covers at its level.
inline constexpr std::uint64_t mark = 1ull << 55;
inline constexpr std::uint64_t mark_read = 1ull << 1;
inline constexpr std::uint64_t mark_write = 1ull << 2;
inline constexpr std::uint64_t mark_execute = 1ull << 3;

inline constexpr std::uint64_t make_mark(abi::Protection protection) {
    return mark | ((protection & abi::protection::read) != 0 ? mark_read : 0) | ((protection & abi::protection::write) != 0 ? mark_write : 0) |
           ((protection & abi::protection::execute) != 0 ? mark_execute : 0);
}
inline constexpr abi::Protection mark_protection(std::uint64_t entry) {
    return ((entry & mark_read) != 0 ? abi::protection::read : 0) | ((entry & mark_write) != 0 ? abi::protection::write : 0) |
           ((entry & mark_execute) != 0 ? abi::protection::execute : 0);
}
inline constexpr bool is_mark(std::uint64_t entry) { return (entry & (present | mark)) == mark; }
inline constexpr bool has_frame(std::uint64_t entry) { return (entry & present) != 0 || ((entry & hidden) != 0 && (entry & mark) == 0); }
inline constexpr bool is_table(std::uint64_t entry, unsigned level) { return level > 0 && (entry & present) != 0 && (entry & large) == 0; }

} // namespace kernel::entry
