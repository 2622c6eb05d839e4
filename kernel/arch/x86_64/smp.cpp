#include "kernel/arch/x86_64/smp.hpp"

#include <cstring>

#include "kernel/arch/x86_64/acpi.hpp"
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/clock.hpp"
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/domains.hpp"
#include "kernel/arch/x86_64/instructions.hpp"
#include "kernel/arch/x86_64/physical.hpp"
#include "kernel/arch/upcalls.hpp"

extern "C" const unsigned char trampoline_begin[], trampoline_end[], trampoline_mailbox[];

namespace kernel::arch {

namespace {

constexpr std::uint64_t start_page = 0x8000;

struct Mailbox {
    std::uint64_t root, stack, entry, argument;
};

// One each for #DF/#MC, NMI and #DB, with a guard page below. The highest word holds the CPU's address, which the assembly reads from there.
std::uint64_t make_fault_stack(Cpu& cpu) {
    const std::uint64_t top = upcall::allocate_stack();
    *reinterpret_cast<Cpu**>(top - 8) = &cpu;
    return top - 16;
}

void set_up(Cpu& cpu) {
    const std::uint64_t fault = make_fault_stack(cpu), nmi = make_fault_stack(cpu), debug = make_fault_stack(cpu);
    initialize_cpu(cpu, fault, nmi, debug);
    load_interrupt_table();
    start_domains();
}

void begin_in_kernel_root(Cpu& cpu) {
    cpu.loaded_root = cpu.native_root = cpu.guest_root = upcall::kernel_root();
    cpu.roots = &upcall::kernel_roots();
}

[[noreturn]] void other_cpu_main(Cpu* cpu) {
    write_cr3(upcall::kernel_root());
    set_up(*cpu);
    begin_in_kernel_root(*cpu);
    enable_local_apic();
    cpu->online.store(true, std::memory_order_release);
    upcall::run_cpu();
}

// The kernel's tables with the start code's page mapped one to one, below 4 GiB because it is loaded in protected mode.
std::uint64_t make_start_root() {
    const std::uint64_t root = upcall::allocate_page(), upper = upcall::allocate_page(), middle = upcall::allocate_page(), lower = upcall::allocate_page();
    if (root >= 1ull << 32)
        upcall::panic("no low memory to start the other CPUs");
    upcall::share_kernel_map(root);
    *direct<std::uint64_t>(root) = upper | 3;
    *direct<std::uint64_t>(upper) = middle | 3;
    *direct<std::uint64_t>(middle) = lower | 3;
    direct<std::uint64_t>(lower)[start_page / 4096] = start_page | 3;
    return root;
}

bool wait_online(const Cpu& cpu, std::uint64_t nanoseconds) {
    const std::uint64_t start = monotonic_nanoseconds();
    while (!cpu.online.load(std::memory_order_acquire)) {
        if (monotonic_nanoseconds() - start > nanoseconds)
            return false;
        __builtin_ia32_pause();
    }
    return true;
}

void pause_nanoseconds(std::uint64_t nanoseconds) {
    const std::uint64_t start = monotonic_nanoseconds();
    while (monotonic_nanoseconds() - start < nanoseconds)
        __builtin_ia32_pause();
}

} // namespace

void initialize_first_cpu(bool tags_roots) {
    detect_features(tags_roots);
    initialize_interrupt_table();
    Cpu& first = cpu(0);
    set_up(first);
    begin_in_kernel_root(first);
    first.online.store(true, std::memory_order_release);
}

void start_other_cpus() {
    const AcpiTables& tables = acpi();
    const std::uint32_t self = local_apic_id();
    this_cpu().apic_id = self;
    if (tables.cpu_count <= 1)
        return;
    const std::uint64_t root = make_start_root();
    // The first MiB is not the allocator's; the loader's map says that this page is memory.
    upcall::map_firmware(start_page, 4096);
    auto* const page = static_cast<unsigned char*>(upcall::map_device(start_page, 4096));
    std::memcpy(page, trampoline_begin, static_cast<std::size_t>(trampoline_end - trampoline_begin));
    std::uint32_t index = 1;
    for (std::size_t i = 0; i < tables.cpu_count && index < max_cpus; ++i) {
        if (tables.apic_ids[i] == self || tables.apic_ids[i] > 0xfe)
            continue;
        Cpu& other = cpu(index);
        other.index = index;
        other.apic_id = tables.apic_ids[i];
        upcall::prepare_cpu(index);
        cpu_limit.store(index + 1, std::memory_order_seq_cst);
        const std::uint64_t stack = upcall::allocate_stack();
        const Mailbox mailbox{root, stack, reinterpret_cast<std::uint64_t>(&other_cpu_main), reinterpret_cast<std::uint64_t>(&other)};
        std::memcpy(page + (trampoline_mailbox - trampoline_begin), &mailbox, sizeof mailbox);
        send_init(other.apic_id);
        pause_nanoseconds(200'000);
        send_startup(other.apic_id, start_page >> 12);
        if (!wait_online(other, 20'000'000))
            send_startup(other.apic_id, start_page >> 12);
        // A loaded host may need long to run it.
        if (!wait_online(other, 10'000'000'000)) {
            // Put back to where it waits for a start: one that came later still would run with the page and the number of the next.
            send_init(other.apic_id);
            pause_nanoseconds(200'000);
            other.online.store(false, std::memory_order_seq_cst);
            upcall::log("cpu %u: does not start", index);
            continue;
        }
        ++index;
    }
}

} // namespace kernel::arch
