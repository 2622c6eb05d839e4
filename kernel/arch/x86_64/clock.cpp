#include "kernel/arch/x86_64/clock.hpp"

#include "kernel/arch/x86_64/acpi.hpp"
#include "kernel/arch/x86_64/instructions.hpp"

namespace kernel::arch {

namespace {

constinit std::uint64_t boot_counter = 0;
constinit std::uint64_t hertz = 1'000'000'000;
constinit std::uint64_t multiplier = 1ull << 32; // nanoseconds = (ticks * multiplier) >> 32

constexpr std::uint64_t pm_hertz = 3'579'545;

// Ticks of the counter in a second, from one interval of about five milliseconds of the ACPI PM timer (24 bits).
std::uint64_t measure_by_pm_timer(std::uint16_t port) {
    const std::uint32_t first = in32(port) & 0xffffff;
    const std::uint64_t start = read_tsc();
    std::uint32_t passed = 0;
    for (std::uint32_t spins = 0; passed < pm_hertz / 200 && spins < 50'000'000; ++spins)
        passed = (in32(port) - first) & 0xffffff;
    const std::uint64_t ticks = read_tsc() - start;
    return passed < pm_hertz / 200 ? 0 : ticks * pm_hertz / passed;
}

// The same by channel 2 of the PIT, one shot of 10 ms.
std::uint64_t measure_by_pit() {
    constexpr std::uint32_t count = 11932;
    out8(0x61, static_cast<std::uint8_t>((in8(0x61) & ~2) | 1));
    out8(0x43, 0xb0);
    out8(0x42, count & 0xff);
    out8(0x42, count >> 8);
    const std::uint64_t start = read_tsc();
    for (std::uint32_t spins = 0; (in8(0x61) & 0x20) == 0 && spins < 50'000'000; ++spins) {
    }
    return (read_tsc() - start) * 100;
}

} // namespace

void set_boot_counter(std::uint64_t counter) { boot_counter = counter; }

void initialize_clock() {
    // CPUID says it where it can: the hypervisor's leaf, then the core's.
    std::uint64_t rate = 0;
    if ((cpuid(1).ecx >> 31 & 1) != 0 && cpuid(0x40000000).eax >= 0x40000010)
        rate = std::uint64_t{cpuid(0x40000010).eax} * 1000;
    // An interrupted measurement only comes out too slow or too fast by the interruption; the median of five drops those.
    if (rate == 0) {
        std::uint64_t samples[5];
        for (auto& sample : samples)
            sample = acpi().pm_timer_port != 0 ? measure_by_pm_timer(acpi().pm_timer_port) : measure_by_pit();
        for (int i = 1; i < 5; ++i)
            for (int k = i; k > 0 && samples[k] < samples[k - 1]; --k) {
                const std::uint64_t swap = samples[k];
                samples[k] = samples[k - 1];
                samples[k - 1] = swap;
            }
        rate = samples[2];
    }
    if (rate < 1'000'000)
        rate = 1'000'000'000;
    hertz = rate;
    multiplier = (1'000'000'000ull << 32) / hertz;
}

std::uint64_t monotonic_nanoseconds() {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(read_tsc() - boot_counter) * multiplier) >> 32);
}

void fill_clock_page(abi::ClockPage& page) {
    page.tsc_base = boot_counter;
    page.base_nanoseconds = 0;
    page.multiplier = multiplier;
    page.shift = 32;
    page.tsc_hertz = hertz;
}

} // namespace kernel::arch
