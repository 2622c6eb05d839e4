// The two parts of the address space that user pointers may lie in. Checks are against explicit intervals, which cannot wrap.
#pragma once
#include <cstdint>

#include "abi/start.hpp"

namespace kernel {

struct Half {
    std::uint64_t begin;
    std::uint64_t end;
    // `length` 0 is allowed up to and including the end.
    constexpr bool contains(std::uint64_t address, std::uint64_t length) const { return address >= begin && address <= end && length <= end - address; }
};

constexpr Half guest_half() { return {0, abi::guest_end}; }
// The last page is never mapped: SYSRET behind a SYSCALL at its very end would not be canonical on other layouts.
constexpr Half personality_half() { return {abi::personality_base, abi::personality_end - abi::page_size}; }

} // namespace kernel
