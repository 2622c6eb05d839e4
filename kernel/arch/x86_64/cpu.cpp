#include "kernel/arch/x86_64/cpu.hpp"

#include <iterator>

#include "kernel/arch/x86_64/instructions.hpp"
#include "lib/base/weaken.hpp"

extern "C" void system_call_entry();
extern "C" void fast_system_call_entry();
extern "C" void compatibility_call_entry();

namespace kernel::arch {

namespace {

constinit Cpu cpus[max_cpus];
constinit Features detected{};

// CR4: PSE off, PAE, PGE, OSFXSR, OSXMMEXCPT; the rest by feature. PKE, CET, LA57 and LASS stay off.
constexpr std::uint64_t cr4_pae = 1 << 5, cr4_pge = 1 << 7, cr4_fxsr = 1 << 9, cr4_xmm = 1 << 10, cr4_umip = 1 << 11, cr4_fsgsbase = 1 << 16,
                        cr4_xsave = 1 << 18, cr4_smep = 1 << 20, cr4_smap = 1 << 21, cr4_mce = 1 << 6, cr4_pcide = 1 << 17;

std::uint64_t code_descriptor(unsigned privilege) { return 0x00209b0000000000ull | (std::uint64_t{privilege} << 45); }
std::uint64_t data_descriptor(unsigned privilege) { return 0x0000930000000000ull | (std::uint64_t{privilege} << 45); }

void fill_descriptors(Cpu& cpu) {
    cpu.gdt[0] = 0;
    cpu.gdt[1] = code_descriptor(0);
    cpu.gdt[2] = data_descriptor(0);
    cpu.gdt[3] = data_descriptor(3); // SYSRET takes data at STAR+8 and 64-bit code at STAR+16
    cpu.gdt[4] = code_descriptor(3);
    const auto base = reinterpret_cast<std::uint64_t>(&cpu.task_state);
    cpu.gdt[5] = (sizeof(TaskState) - 1) | ((base & 0xffffff) << 16) | (0x89ull << 40) | ((base >> 24 & 0xff) << 56);
    cpu.gdt[6] = base >> 32;
}

void load_descriptors(Cpu& cpu) {
    struct [[gnu::packed]] {
        std::uint16_t limit;
        std::uint64_t base;
    } pointer{7 * 8 - 1, reinterpret_cast<std::uint64_t>(cpu.gdt)};
    asm volatile("lgdt %0\n"
                 "pushq %1\n"
                 "leaq 1f(%%rip), %%rax\n"
                 "pushq %%rax\n"
                 "lretq\n"
                 "1: movw %w2, %%ds\n movw %w2, %%es\n movw %w2, %%ss\n"
                 "xorl %%eax, %%eax\n movw %%ax, %%fs\n movw %%ax, %%gs\n"
                 // After a reset there is a local table, at address 0: in a guest half, whose owner would write call gates there.
                 "lldt %%ax\n"
                 "movw %w3, %%ax\n ltr %%ax" ::"m"(pointer),
                 "i"(kernel_code), "r"(std::uint32_t{kernel_data}), "i"(task_state)
                 : "rax", "memory");
}

} // namespace

Cpu& cpu(std::size_t index) { return cpus[index]; }

std::size_t cpu_count() {
    std::size_t count = 0;
    for (const Cpu& one : cpus)
        count += one.online.load(std::memory_order_acquire);
    return count;
}

const Features& features() { return detected; }

void detect_features(bool tags_roots) {
    const auto one = cpuid(1);
    const auto seven = cpuid(7);
    const auto extended = cpuid(0x80000001);
    detected.x2apic = (one.ecx >> 21 & 1) != 0;
    detected.pcid = (one.ecx >> 17 & 1) != 0 && tags_roots;
    detected.tsc_deadline = (one.ecx >> 24 & 1) != 0;
    detected.xsave = (one.ecx >> 26 & 1) != 0;
    detected.fsgsbase = (seven.ebx & 1) != 0;
    detected.smep = (seven.ebx >> 7 & 1) != 0;
    detected.smap = (seven.ebx >> 20 & 1) != 0;
    detected.invpcid = (seven.ebx >> 10 & 1) != 0;
    detected.umip = (seven.ecx >> 2 & 1) != 0;
    detected.gib_pages = (extended.edx >> 26 & 1) != 0;
    if (detected.xsave) // x87, SSE, AVX, AVX-512; nothing else is switched, so nothing else is on
        detected.xsave_mask = cpuid(0xd).eax & 0xe7;
}

void initialize_cpu(Cpu& cpu, std::uint64_t fault_stack_top, std::uint64_t nmi_stack_top, std::uint64_t debug_stack_top) {
    cpu.self = &cpu;
    cpu.task_state.interrupt_stack[0] = fault_stack_top; // #DF, #MC
    cpu.task_state.interrupt_stack[1] = nmi_stack_top;
    cpu.task_state.interrupt_stack[2] = debug_stack_top;
    fill_descriptors(cpu);
    load_descriptors(cpu);
    write_msr(msr::gs_base, reinterpret_cast<std::uint64_t>(&cpu));
    write_msr(msr::kernel_gs_base, 0);
    write_msr(msr::fs_base, 0);

    write_cr0((read_cr0() & ~0x6000000cull) | 0x10022); // WP, NE, MP; EM and TS off, caches on
    std::uint64_t cr4 = cr4_pae | cr4_pge | cr4_fxsr | cr4_xmm | cr4_mce;
    cr4 |= detected.smep && !base::weakened(base::Weakness::user_page_run) ? cr4_smep : 0;
    cr4 |= detected.smap && !base::weakened(base::Weakness::user_page_access) ? cr4_smap : 0;
    cr4 |= detected.umip && !base::weakened(base::Weakness::processor_tables) ? cr4_umip : 0;
    cr4 |= detected.fsgsbase ? cr4_fsgsbase : 0;
    cr4 |= detected.xsave ? cr4_xsave : 0;
    cr4 |= detected.pcid ? cr4_pcide : 0; // the kernel's own root is loaded, whose tag is 0
    write_cr4(cr4);
    cpu.tags_roots = detected.pcid;
    if (detected.xsave) {
        asm volatile("xsetbv" ::"c"(0), "a"(static_cast<std::uint32_t>(detected.xsave_mask)), "d"(0));
        detected.xsave_bytes = cpuid(0xd).ebx;
    }
    write_msr(msr::efer, read_msr(msr::efer) | 0x801); // SCE, NXE
    write_msr(msr::star, (std::uint64_t{kernel_code} << 32) | (std::uint64_t{kernel_data | 3} << 48));
    // The fast way tells guests from native code and checks the guest's state by itself, which the twin without these must not.
    const bool fast = detected.fsgsbase && !base::weakened(base::Weakness::restricted_bit) && !base::weakened(base::Weakness::fetch_once);
    write_msr(msr::lstar, reinterpret_cast<std::uint64_t>(fast ? fast_system_call_entry : system_call_entry));
    write_msr(msr::cstar, reinterpret_cast<std::uint64_t>(compatibility_call_entry));
    write_msr(msr::fmask, 0x47700); // TF IF DF IOPL NT AC
    write_msr(0x174, 0);            // SYSENTER refuses: a null code segment faults
    asm volatile("movq %0, %%db7" ::"r"(std::uint64_t{0x400})); // no breakpoint of whatever ran before
}

Cpu* find_this_cpu() {
    const std::uint64_t base = read_msr(msr::gs_base);
    const bool known = base >= reinterpret_cast<std::uint64_t>(std::begin(cpus)) && base < reinterpret_cast<std::uint64_t>(std::end(cpus));
    return known ? reinterpret_cast<Cpu*>(base) : nullptr;
}

namespace {
std::uint64_t sum_of(std::atomic<std::uint64_t> Cpu::* counter) {
    std::uint64_t sum = 0;
    for (const Cpu& one : cpus)
        sum += (one.*counter).load(std::memory_order_relaxed);
    return sum;
}
} // namespace

std::uint64_t root_loads() { return sum_of(&Cpu::root_loads); }
std::uint64_t page_faults() { return sum_of(&Cpu::page_faults); }

} // namespace kernel::arch
