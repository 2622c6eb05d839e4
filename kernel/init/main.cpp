// The order in which the kernel comes up.
#include "kernel/arch/acpi.hpp"
#include "kernel/arch/apic.hpp"
#include "kernel/arch/clock.hpp"
#include "kernel/arch/console.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/domains.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/smp.hpp"
#include "kernel/arch/upcalls.hpp"
#include "kernel/audit/audit.hpp"
#include "kernel/init/boot_information.hpp"
#include "kernel/core/display.hpp"
#include "kernel/init/first_process.hpp"
#include "kernel/core/log.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/tests/harness.hpp"
#include "lib/base/processor_random.hpp"
#include "lib/base/weaken.hpp"

extern "C" const std::int32_t clac_places_begin[], clac_places_end[], stac_places_begin[], stac_places_end[];
extern "C" [[noreturn]] void kernel_start();

namespace kernel {
namespace {

void patch_places(const BootInformation& boot, const std::int32_t* begin, const std::int32_t* end, unsigned char last) {
    for (const std::int32_t* distance = begin; distance != end; ++distance) {
        const std::uint64_t offset = reinterpret_cast<std::uint64_t>(distance) + static_cast<std::uint64_t>(std::int64_t{*distance}) - reinterpret_cast<std::uint64_t>(image_begin);
        auto* const place = direct<unsigned char>(boot.kernel_physical + offset);
        place[0] = 0x0f;
        place[1] = 0x01;
        place[2] = last;
    }
}

// CLAC and STAC are invalid instructions without SMAP, so they are put in their places where there is SMAP. The kernel's text is written through the direct map.
void patch_entry(const BootInformation& boot) {
    if (!arch::features().smap)
        return;
    patch_places(boot, clac_places_begin, clac_places_end, 0xca);
    patch_places(boot, stac_places_begin, stac_places_end, 0xcb);
}

void log_mitigations() {
    const arch::Mitigations& chosen = arch::mitigations();
    const auto word = [](bool on) { return on ? "on" : "off"; };
    log("between domains: IBRS %s, STIBP %s, IBPB %s, return stack filled %s, buffers cleared %s", word(chosen.enhanced_ibrs || chosen.automatic_ibrs), word(chosen.stibp),
        word(chosen.ibpb), word(chosen.fill_return_stack), word(chosen.clear_buffers));
    if (chosen.unprotected_branches)
        log("this processor has nothing to be set once that keeps user mode from steering the kernel's branches");
    if (chosen.unprotected_meltdown)
        log("this processor lets user mode read what is mapped for the kernel");
}

constinit const BootInformation* boot_information = nullptr;

// On a stack with a guard page: this is what the first CPU idles on.
[[noreturn]] void go_on() {
    const BootInformation& boot = *boot_information;
    arch::start_other_cpus();
    log("Hello from ThemeliOS %s", THEMELIOS_VERSION);
#ifdef THEMELIOS_TWIN
    log("%s", base::twin_marker);
#endif
    log("%u CPUs, %u MiB of memory", arch::cpu_count(), frames::total_count() / 256);
    log_mitigations();
    frames::reclaim_loader_memory(boot.memory, boot.memory_count);
    frames::start_caches();
    Audit::initialize();
    Quota::create_root(frames::free_count());
    const std::uint64_t clock = frames::allocate_zeroed();
    if (clock == 0)
        panic("no memory for the clock page");
    arch::fill_clock_page(*direct<abi::ClockPage>(clock));
    if (boot.option("test") == "kernel")
        run_kernel_tests();
    start_first_process({boot.init.physical, boot.init.size, boot.root.physical, boot.root.size, boot.rsdp, clock, boot.command()});
    sched::idle();
}

// From the first line on, frames are guarded by a word that nobody knows; hence no guard of its own. The lowest byte is zero: no string that is copied over it brings it.
[[noreturn]] __attribute__((no_stack_protector)) void start() {
    __stack_chk_guard = base::processor_random().value & ~std::uint64_t{0xff};
    arch::set_boot_counter(arch::read_tsc());
    arch::initialize_console();
    const BootInformation& boot = read_boot_information();
#ifdef THEMELIOS_TWIN
    // Before anything that asks: the first CPU's entries do.
    if (const std::string_view name = boot.option("weaken"); !name.empty() && !base::choose_weakness(name)) panic("no weakness has the name that `weaken` says");
#endif
    frames::initialize(boot.memory, boot.memory_count, boot.direct_map);
    initialize_kernel_map(boot.memory, boot.memory_count, boot.kernel_physical);
    if (const std::uint64_t bytes = display::usable_bytes(boot.framebuffer))
        display::initialize(boot.framebuffer, map_device(boot.framebuffer_physical, bytes));
    // Off by itself until it has run on processors that have it.
    arch::initialize_first_cpu(boot.option("pcid") == "on");
    patch_entry(boot);
    protect_image_alias(boot.kernel_physical);
    arch::read_acpi(boot.rsdp);
    arch::initialize_clock();
    arch::initialize_interrupt_controllers();
    arch::enable_local_apic();
    arch::calibrate_timer();
    sched::initialize_queue(0);
    boot_information = &boot;
    arch::go_on_at_stack(arch::upcall::allocate_stack(), go_on);
}

} // namespace

} // namespace kernel

__attribute__((no_stack_protector)) void kernel_start() { kernel::start(); }
