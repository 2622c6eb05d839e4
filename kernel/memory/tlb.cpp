#include "kernel/memory/tlb.hpp"

#include <atomic>

#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace tlb {

namespace {

enum class Scope { user, kernel };

void shoot_down(Scope scope) {
    // The change to the tables must be visible before the other CPUs' roots are looked at: a CPU that loads the root after that sees the change.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::uint64_t tickets[arch::max_cpus];
    std::uint64_t targets = 0;
    const arch::Cpu& self = arch::this_cpu();
    const std::size_t limit = arch::cpu_limit.load(std::memory_order_seq_cst);
    for (std::size_t i = 0; i < limit; ++i) {
        arch::Cpu& cpu = arch::cpu(i);
        if (&cpu == &self || !cpu.online.load(std::memory_order_acquire))
            continue;
        if (scope == Scope::kernel)
            cpu.shootdown_of_kernel.store(true, std::memory_order_seq_cst);
        else if (__atomic_load_n(&cpu.loaded_root, __ATOMIC_SEQ_CST) == kernel_root())
            continue;
        tickets[i] = cpu.shootdowns_requested.fetch_add(1, std::memory_order_seq_cst) + 1;
        targets |= 1ull << i;
        arch::send_interrupt(cpu.apic_id, arch::vector::shootdown);
    }
    for (std::size_t i = 0; targets >> i != 0; ++i)
        if ((targets >> i & 1) != 0)
            while (arch::cpu(i).shootdowns_served.load(std::memory_order_acquire) < tickets[i])
                arch::relax();
}

} // namespace

void flush_local() { arch::write_cr3(arch::read_cr3()); }
void flush_page_local(std::uint64_t address) { arch::invalidate_page(address); }

void flush_everywhere() {
    flush_local();
    if (!base::weakened(base::Weakness::page_shoot_down)) shoot_down(Scope::user);
}

void flush_kernel_everywhere() {
    arch::invalidate_everything();
    shoot_down(Scope::kernel);
}

// Whoever finds the mark of a request that is not counted yet has flushed for it: the tables were changed before the mark was set.
void flush_asked() {
    if (arch::this_cpu().shootdown_of_kernel.exchange(false, std::memory_order_seq_cst)) {
        arch::invalidate_everything();
    } else {
        flush_local();
    }
}

} // namespace tlb
} // namespace kernel
