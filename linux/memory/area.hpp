// One range of a guest's address space with the same properties throughout: a VMA.
#pragma once
#include "lib/base/ref.hpp"
#include "linux/core/file.hpp"

namespace personality {

namespace area_flag {
inline constexpr std::uint32_t shared = 1u << 0;      // MAP_SHARED
inline constexpr std::uint32_t grows_down = 1u << 1;  // the stack
inline constexpr std::uint32_t reserved = 1u << 2;    // nothing was mapped in the kernel yet: an untouched range without access
inline constexpr std::uint32_t no_fork = 1u << 3;     // MADV_DONTFORK
inline constexpr std::uint32_t wipe_fork = 1u << 4;   // MADV_WIPEONFORK
inline constexpr std::uint32_t locked = 1u << 5;
inline constexpr std::uint32_t heap = 1u << 6;        // brk
inline constexpr std::uint32_t stack = 1u << 7;
inline constexpr std::uint32_t vdso = 1u << 8;
inline constexpr std::uint32_t no_reserve = 1u << 9;
inline constexpr std::uint32_t may_not_write = 1u << 10; // a shared mapping of a file opened for reading only, the vDSO
inline constexpr std::uint32_t vvar = 1u << 11;          // what the vDSO reads
} // namespace area_flag

struct Area {
    std::uint64_t start = 0, end = 0;
    abi::Protection protection = 0; // PROT_READ, PROT_WRITE, PROT_EXEC have the numbers of abi::protection
    std::uint32_t flags = 0;
    base::Ref<File> file;        // null: anonymous
    std::uint64_t offset = 0;    // of `start` in the file

    std::uint64_t length() const { return end - start; }
    bool contains(std::uint64_t address) const { return address >= start && address < end; }
    bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
    bool shared() const { return has(area_flag::shared); }
    bool anonymous() const { return !file; }
};

} // namespace personality
