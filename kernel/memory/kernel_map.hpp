// The kernel's own page tables: upper half, shared by every root.
#pragma once
#include <cstddef>
#include <cstdint>

#include "boot/limine.hpp"
#include "kernel/core/tlb_state.hpp"

namespace kernel {

// Builds the tables (direct map of all memory, kernel image with W^X) and loads them. `physical_base`: where the kernel's image lies. Once, on the first CPU.
void initialize_kernel_map(const limine::MemoryEntry* entries, std::size_t count, std::uint64_t physical_base);
// Takes the write permission from the direct map's view of the kernel's text and constants. On the first CPU, before the others start.
void protect_image_alias(std::uint64_t physical_base);
// The root with nothing but the kernel: for idle threads. As a pair: the one root, and no halves.
std::uint64_t kernel_root();
const RootPair& kernel_roots();
// Copies the kernel's top-level entries into a new root (a zeroed frame).
void share_kernel_map(std::uint64_t root);

// Device registers, uncached. The mapping stays for ever.
void* map_device(std::uint64_t physical, std::size_t bytes);
// Firmware tables: through the direct map where it has them, else mapped read-only.
const void* map_firmware(std::uint64_t physical, std::size_t bytes);

// A kernel stack of `stack_pages` with an unmapped page below it; the address of its top, or 0 where memory is exhausted.
std::uint64_t allocate_stack();
// Nobody runs on it any more. Any context.
void free_stack(std::uint64_t top);
// For whoever makes threads, ends them, or is one that ends. A few freed stacks are kept to be used again; where there are more, some of them lose their frames, which go back to the
// allocator, and only their part of the kernel's page tables stays, for the next stacks. All CPUs flush then. Without locks.
void trim_stacks();
inline constexpr std::size_t stack_pages = 4;

// Pages in page tables of the kernel itself.
std::uint64_t kernel_table_pages();

} // namespace kernel
