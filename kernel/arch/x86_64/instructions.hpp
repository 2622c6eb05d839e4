// Instructions that C++ has no words for.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kernel::arch {

// Whether a shared value is this one now, without a register for it.
template <class Atomic, class Value> bool holds(const Atomic& atomic, Value value) { return atomic.load(std::memory_order_seq_cst) == value; }
inline bool holds(const std::atomic<bool>& atomic, bool value) {
    bool equal;
    asm volatile("cmpb %2, %1" : "=@cce"(equal) : "m"(atomic), "qi"(static_cast<char>(value)) : "memory");
    return equal;
}
inline bool holds(const std::atomic<std::uint32_t>& atomic, std::uint32_t value) {
    bool equal;
    asm volatile("cmpl %2, %1" : "=@cce"(equal) : "m"(atomic), "ri"(value) : "memory");
    return equal;
}
inline bool holds(const std::atomic<std::uint64_t>& atomic, std::uint64_t value) {
    bool equal;
    asm volatile("cmpq %2, %1" : "=@cce"(equal) : "m"(atomic), "re"(value) : "memory");
    return equal;
}

// Takes the interrupts that wait: STI holds them off for one more instruction.
inline void serve_interrupts() { asm volatile("sti; nop; cli" ::: "memory"); }
// Halts until an interrupt, which is served. One that came between the look at what there is to do and the halt is taken at the halt.
inline void halt_until_interrupt() { asm volatile("sti; hlt; cli" ::: "memory"); }
[[noreturn]] inline void halt_for_ever() {
    for (;;) asm volatile("cli; hlt");
}
// Goes on in `function` on another stack; `top` is its end. What is on this one is not used again.
[[noreturn]] inline void go_on_at_stack(std::uint64_t top, void (*function)()) {
    asm volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tpush $0\n\tjmp *%1" ::"a"(top), "d"(function) : "memory");
    __builtin_unreachable();
}

// The registers of the x87 and vector units. Where they are off, their first use faults. `extended`: the processor has XSAVE. An area is as vector_area.hpp lays it out.
inline void vector_registers_on() { asm volatile("clts" ::: "memory"); }
inline void save_vector_registers(std::byte* area, bool extended) {
    if (extended) {
        asm volatile("xsave64 (%0)" ::"r"(area), "a"(0xffffffffu), "d"(0xffffffffu) : "memory");
    } else {
        asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
    }
}
inline void load_vector_registers(const std::byte* area, bool extended) {
    if (extended) {
        asm volatile("xrstor64 (%0)" ::"r"(area), "a"(0xffffffffu), "d"(0xffffffffu) : "memory");
    } else {
        asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
    }
}

inline void out8(std::uint16_t port, std::uint8_t value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
inline void out16(std::uint16_t port, std::uint16_t value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
inline void out32(std::uint16_t port, std::uint32_t value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
inline std::uint8_t in8(std::uint16_t port) {
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline std::uint16_t in16(std::uint16_t port) {
    std::uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline std::uint32_t in32(std::uint16_t port) {
    std::uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline std::uint64_t read_msr(std::uint32_t number) {
    std::uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (std::uint64_t{high} << 32) | low;
}
inline void write_msr(std::uint32_t number, std::uint64_t value) {
    asm volatile("wrmsr" ::"c"(number), "a"(static_cast<std::uint32_t>(value)), "d"(static_cast<std::uint32_t>(value >> 32)) : "memory");
}
inline std::uint64_t read_cr0() {
    std::uint64_t value;
    asm volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}
inline void write_cr0(std::uint64_t value) { asm volatile("mov %0, %%cr0" ::"r"(value) : "memory"); }
inline void vector_registers_off() {
    constexpr std::uint64_t task_switched = 1 << 3; // SDM volume 3, 2.5
    write_cr0(read_cr0() | task_switched);
}
inline std::uint64_t read_cr2() {
    std::uint64_t value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
inline std::uint64_t read_cr3() {
    std::uint64_t value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
inline void write_cr3(std::uint64_t value) { asm volatile("mov %0, %%cr3" ::"r"(value) : "memory"); }
inline std::uint64_t read_cr4() {
    std::uint64_t value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
inline void write_cr4(std::uint64_t value) { asm volatile("mov %0, %%cr4" ::"r"(value) : "memory"); }
inline void invalidate_page(std::uint64_t address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
// What is remembered under a PCID, but for what is global: of one address, or all. Where the processor has INVPCID.
inline void invalidate_tagged(std::uint64_t type, std::uint64_t tag, std::uint64_t address) {
    const std::uint64_t descriptor[2] = {tag, address};
    asm volatile("invpcid %1, %0" ::"r"(type), "m"(descriptor) : "memory");
}
inline void invalidate_page_of_tag(std::uint64_t tag, std::uint64_t address) { invalidate_tagged(0, tag, address); }
inline void invalidate_tag(std::uint64_t tag) { invalidate_tagged(1, tag, 0); }
// Forgets every translation on this CPU, the global ones too and under every tag: CR4.PGE (bit 7) off and on again. Intel SDM volume 3, section 4.10.4.1
inline void invalidate_everything() {
    const std::uint64_t value = read_cr4();
    write_cr4(value & ~(1ull << 7));
    write_cr4(value);
}
inline std::uint64_t read_tsc() {
    std::uint32_t low, high;
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (std::uint64_t{high} << 32) | low;
}
inline constexpr std::uint64_t flag_access = 1 << 18; // AC: supervisor access to user memory, where there is SMAP
inline std::uint64_t read_flags() {
    std::uint64_t value;
    asm volatile("pushfq; popq %0" : "=r"(value));
    return value;
}
inline void interrupts_on() { asm volatile("sti" ::: "memory"); }
inline void interrupts_off() { asm volatile("cli" ::: "memory"); }

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
    CpuidResult result;
    asm volatile("cpuid" : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx) : "a"(leaf), "c"(subleaf));
    return result;
}

namespace msr {
inline constexpr std::uint32_t apic_base = 0x1b;
inline constexpr std::uint32_t efer = 0xc0000080;
inline constexpr std::uint32_t star = 0xc0000081;
inline constexpr std::uint32_t lstar = 0xc0000082;
inline constexpr std::uint32_t cstar = 0xc0000083;
inline constexpr std::uint32_t fmask = 0xc0000084;
inline constexpr std::uint32_t fs_base = 0xc0000100;
inline constexpr std::uint32_t gs_base = 0xc0000101;
inline constexpr std::uint32_t kernel_gs_base = 0xc0000102;
} // namespace msr

} // namespace kernel::arch
