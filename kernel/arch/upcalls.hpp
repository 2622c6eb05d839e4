// What the machine's code asks of the layers above it: events that it reports, and the few services that bringing the machine up needs. The one header through which arch/ calls
// up; init/upcalls.cpp says who answers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernel {
struct RootPair;
}

namespace kernel::arch {

struct Registers;

namespace upcall {

// --- events; interrupts off
void timer();
void reschedule();
// An exception in user mode; `fault_address` is the one of a page fault. What is in `registers` at the return is what user mode goes on with.
void user_exception(Registers& registers, std::uint64_t fault_address);
// The last thing before an interrupt returns to user mode.
void before_return_to_user();
// The invalidation of this CPU's TLB, asked for by another.
void flush_tlb();

// --- services
// One line of the kernel's log: %u decimal, %x hexadecimal.
void log(const char* format, std::uint64_t value);
// The end of the node.
[[noreturn]] void panic(const char* text);
[[noreturn]] void kernel_fault(const Registers& registers, std::uint64_t fault_address);
// Device registers, uncached, mapped for good.
void* map_device(std::uint64_t physical, std::size_t bytes);
// Firmware tables, read-only.
const void* map_firmware(std::uint64_t physical, std::size_t bytes);
// The physical address of a zeroed page, kept for good. Panics where there is none.
std::uint64_t allocate_page();
// The top of a guarded kernel stack, kept for good. Panics where there is none.
std::uint64_t allocate_stack();
std::uint64_t kernel_root();
const RootPair& kernel_roots();
// Copies the kernel's part of the address space into a new root.
void share_kernel_map(std::uint64_t root);
// A run queue for a CPU that is about to start; what the CPU does from then on.
void prepare_cpu(std::uint32_t index);
[[noreturn]] void run_cpu();

} // namespace upcall
} // namespace kernel::arch
