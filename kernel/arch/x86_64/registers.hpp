// The registers of an interrupted program, as the entry code saves them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernel::arch {

// Pushed by entry.S: at the top of the thread's kernel stack when it comes from user mode. `vector` is `system_call_vector` for SYSCALL.
// Of native code's frame, while a guest runs, rip, rflags, rsp and rbp alone are good.
struct Registers {
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    std::uint64_t vector, error;
    std::uint64_t rip, cs, rflags, rsp, ss;

    bool from_user() const { return (cs & 3) != 0; }
};
static_assert(sizeof(Registers) == 22 * 8);
static_assert(offsetof(Registers, vector) == 120 && offsetof(Registers, rip) == 136);

inline constexpr std::uint64_t system_call_vector = 256;

inline constexpr std::uint16_t kernel_code = 0x08;
inline constexpr std::uint16_t kernel_data = 0x10;
inline constexpr std::uint16_t user_data = 0x1b;
inline constexpr std::uint16_t user_code = 0x23;
inline constexpr std::uint16_t task_state = 0x28;

// Flags that user mode may have as it likes: CF PF AF ZF SF TF DF OF AC ID. IF is always on, everything else off.
inline constexpr std::uint64_t user_flags = 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x40000 | 0x200000;
inline constexpr std::uint64_t interrupt_flag = 0x200;
inline constexpr std::uint64_t not_by_sysret = 0x10100; // TF, RF
// SYSRET takes rip and flags from rcx and r11, and loses TF and RF.
inline bool returns_by_sysret(const Registers& registers) {
    return registers.rcx == registers.rip && registers.r11 == registers.rflags && !(registers.rflags & not_by_sysret);
}
inline std::uint64_t sanitise_flags(std::uint64_t flags) { return (flags & user_flags) | interrupt_flag | 2; }

} // namespace kernel::arch
