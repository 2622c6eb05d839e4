// Who answers what the machine's code asks of the layers above it.
#include "kernel/arch/upcalls.hpp"

#include "kernel/arch/instructions.hpp"
#include "kernel/arch/registers.hpp"
#include "kernel/call/dispatch.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/memory/tlb.hpp"
#include "kernel/thread/scheduler.hpp"

namespace kernel::arch::upcall {

void timer() { sched::on_timer(); }
void reschedule() { sched::on_reschedule(); }
void user_exception(Registers& registers, std::uint64_t fault_address) { handle_user_exception(registers, fault_address); }
void before_return_to_user() { kernel::before_return_to_user(); }
void flush_tlb() { tlb::flush_asked(); }

void log(const char* format, std::uint64_t value) { kernel::log(format, value); }
void panic(const char* text) { kernel::panic("%s", text); }
void kernel_fault(const Registers& registers, std::uint64_t fault_address) {
    kernel::panic("exception %u in the kernel, error %x, at %x, address %x, stack %x", registers.vector, registers.error, registers.rip, fault_address, registers.rsp);
}

void* map_device(std::uint64_t physical, std::size_t bytes) { return kernel::map_device(physical, bytes); }
const void* map_firmware(std::uint64_t physical, std::size_t bytes) { return kernel::map_firmware(physical, bytes); }

std::uint64_t allocate_page() {
    const std::uint64_t frame = frames::allocate_zeroed();
    if (frame == 0) kernel::panic("no memory for the machine's own pages");
    return frame;
}

std::uint64_t allocate_stack() {
    const std::uint64_t top = kernel::allocate_stack();
    if (top == 0) kernel::panic("no memory for a CPU's stack");
    return top;
}

std::uint64_t kernel_root() { return kernel::kernel_root(); }
const RootPair& kernel_roots() { return kernel::kernel_roots(); }
void share_kernel_map(std::uint64_t root) { kernel::share_kernel_map(root); }
void prepare_cpu(std::uint32_t index) { sched::initialize_queue(index); }
void run_cpu() { sched::idle(); }

} // namespace kernel::arch::upcall
