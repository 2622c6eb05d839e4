// The kernel's address space: where physical memory, devices, stacks and the kernel's image lie.
#pragma once
#include <cstdint>

#include "abi/types.hpp"

extern "C" {
extern const unsigned char image_begin[];
extern const std::uint64_t image_linked_base; // a number in the image: no loader changes it
}

namespace kernel {

inline constexpr std::uint64_t direct_map_base = 0xffff'a000'0000'0000;  // PML4 320: all memory
inline constexpr std::uint64_t device_map_base = 0xffff'a080'0000'0000;  // PML4 321: device registers, uncached
inline constexpr std::uint64_t stack_map_base = 0xffff'a100'0000'0000;   // PML4 322: kernel stacks with guard pages
inline constexpr std::uint64_t canonical_upper = 0xffff'8000'0000'0000;

// Physical addresses are plain numbers; 0 is never a frame.
template <class T = void> T* direct(std::uint64_t physical) { return reinterpret_cast<T*>(direct_map_base + physical); }
// How far the loader moved the kernel's image from where it is linked.
inline std::uint64_t image_slide() { return reinterpret_cast<std::uint64_t>(image_begin) - image_linked_base; }
inline std::uint64_t physical_of(const void* direct_pointer) { return reinterpret_cast<std::uint64_t>(direct_pointer) - direct_map_base; }

} // namespace kernel
