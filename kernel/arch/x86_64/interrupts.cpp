// Where all vectors come out of the assembly.
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/copy_user.hpp"
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/instructions.hpp"
#include "kernel/arch/x86_64/relax.hpp"
#include "kernel/arch/upcalls.hpp"

extern "C" const std::uint64_t vector_table[256];
extern "C" void kernel_interrupt(kernel::arch::Registers* registers);

namespace kernel::arch {

namespace {

struct [[gnu::packed]] Gate {
    std::uint16_t low;
    std::uint16_t selector;
    std::uint8_t stack;
    std::uint8_t type;
    std::uint16_t middle;
    std::uint32_t high;
    std::uint32_t reserved;
};
constinit Gate gates[256] = {};

// Index into TaskState::interrupt_stack, from 1; 0 is the thread's kernel stack.
std::uint8_t stack_of(unsigned number) {
    switch (number) {
    case 8:
    case 18:
        return 1;
    case 2:
        return 2;
    case 1:
        return 3;
    default:
        return 0;
    }
}

// Not inlined: what handlers keep on the stack would give every fault a frame with a guard.
[[gnu::noinline]] void device_or_timer(std::uint8_t number) {
    switch (number) {
    case vector::spurious:
        return;
    case vector::timer:
        end_of_interrupt();
        upcall::timer();
        return;
    case vector::reschedule:
        end_of_interrupt();
        upcall::reschedule();
        return;
    case vector::shootdown:
        end_of_interrupt();
        serve_shootdowns();
        return;
    case vector::halt:
        halt_for_ever();
    default:
        end_of_interrupt();
        if (number >= vector::device_first && number <= vector::device_last)
            dispatch_interrupt(number);
        return;
    }
}

} // namespace

// Requests are counted: what was asked for before the count was read is covered by the flush that follows.
void serve_shootdowns() {
    Cpu& cpu = this_cpu();
    const std::uint64_t requested = cpu.shootdowns_requested.load(std::memory_order_seq_cst);
    if (requested == cpu.shootdowns_served.load(std::memory_order_relaxed))
        return;
    upcall::flush_tlb();
    cpu.shootdowns_served.store(requested, std::memory_order_release);
}

void initialize_interrupt_table() {
    for (unsigned i = 0; i < 256; ++i) {
        const std::uint64_t target = vector_table[i];
        // Interrupt gates: IF is cleared. #BP and #OF may be raised by INT instructions of user mode.
        const std::uint8_t privilege = i == 3 || i == 4 ? 0x60 : 0;
        gates[i] = {static_cast<std::uint16_t>(target), kernel_code, stack_of(i), static_cast<std::uint8_t>(0x8e | privilege), static_cast<std::uint16_t>(target >> 16),
                    static_cast<std::uint32_t>(target >> 32), 0};
    }
}

void load_interrupt_table() {
    const struct [[gnu::packed]] {
        std::uint16_t limit;
        const void* base;
    } pointer{sizeof gates - 1, gates};
    asm volatile("lidt %0" ::"m"(pointer));
}

static bool is_in_copy(std::uint64_t rip) { return rip >= reinterpret_cast<std::uint64_t>(copy_user_begin) && rip < reinterpret_cast<std::uint64_t>(copy_user_end); }

} // namespace kernel::arch

void kernel_interrupt(kernel::arch::Registers* registers) {
    using namespace kernel;
    const std::uint64_t number = registers->vector;
    // With AC set, the kernel would read and write user memory without meaning to.
    if (arch::features().smap && (arch::read_flags() & arch::flag_access) != 0)
        arch::upcall::panic("an interrupt entry left user access on");
    if (number == 2) // NMI: nothing asks for one
        return;
    if (number < 32) {
        if (!registers->from_user()) {
            // A debug trap at the first instruction of an entry was caused by user mode's single step; it goes on there.
            if (number == 1)
                return;
            if (number == 14 && arch::is_in_copy(registers->rip)) {
                registers->rip = reinterpret_cast<std::uint64_t>(copy_user_landing);
                return;
            }
            arch::upcall::kernel_fault(*registers, arch::read_cr2());
        }
        if (number == 18)
            arch::upcall::kernel_fault(*registers, arch::read_cr2());
        arch::upcall::user_exception(*registers, arch::read_cr2());
        return;
    }
    arch::device_or_timer(static_cast<std::uint8_t>(number));
    if (registers->from_user())
        arch::upcall::before_return_to_user();
}
