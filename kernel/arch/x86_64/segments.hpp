// The segment bases of user mode. FS and GS belong to guests alone; while the kernel runs, the user's GS base waits in KERNEL_GS_BASE.
#pragma once
#include <cstdint>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/instructions.hpp"

namespace kernel::arch {

// Addresses must be canonical: the caller checks them.
inline void set_fs_base(std::uint64_t base) {
    if (features().fsgsbase)
        asm volatile("wrfsbase %0" ::"r"(base));
    else
        write_msr(msr::fs_base, base);
}
inline std::uint64_t fs_base() {
    if (!features().fsgsbase)
        return read_msr(msr::fs_base);
    std::uint64_t base;
    asm volatile("rdfsbase %0" : "=r"(base));
    return base;
}
inline void set_user_gs_base(std::uint64_t base) {
    if (features().fsgsbase)
        asm volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base) : "memory");
    else
        write_msr(msr::kernel_gs_base, base);
}
inline std::uint64_t user_gs_base() {
    if (!features().fsgsbase)
        return read_msr(msr::kernel_gs_base);
    std::uint64_t base;
    asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base)::"memory");
    return base;
}

} // namespace kernel::arch
