#include "kernel/arch/x86_64/apic.hpp"

#include <atomic>

#include "kernel/arch/x86_64/acpi.hpp"
#include "kernel/arch/x86_64/clock.hpp"
#include "kernel/arch/x86_64/instructions.hpp"
#include "kernel/arch/x86_64/relax.hpp"
#include "kernel/arch/upcalls.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel::arch {

namespace {

constinit volatile std::uint32_t* local = nullptr;
constinit volatile std::uint32_t* io = nullptr;
constinit SpinLock io_lock{LockRank::io_apic}; // the IO APIC's index and data registers are one pair
constinit std::uint64_t timer_hertz = 0;
constinit std::uint64_t longest_timer = 0; // that fits the counter

// Intel SDM volume 3, table 11-1
enum Register : std::uint32_t {
    id = 0x20, priority = 0x80, end = 0xb0, spurious_vector = 0xf0, command_low = 0x300, command_high = 0x310,
    timer_entry = 0x320, lint0 = 0x350, lint1 = 0x360, error_entry = 0x370, initial_count = 0x380, current_count = 0x390, divide = 0x3e0,
};

std::uint32_t read_local(std::uint32_t number) { return local[number / 4]; }
void write_local(std::uint32_t number, std::uint32_t value) { local[number / 4] = value; }

std::uint32_t read_io(std::uint32_t number) BASE_REQUIRES(io_lock) {
    io[0] = number;
    return io[4];
}
void write_io(std::uint32_t number, std::uint32_t value) BASE_REQUIRES(io_lock) {
    io[0] = number;
    io[4] = value;
}

void command(std::uint32_t apic_id, std::uint32_t low) {
    write_local(command_high, apic_id << 24);
    write_local(command_low, low);
    while ((read_local(command_low) & (1 << 12)) != 0)
        relax();
}

constexpr std::uint32_t masked_bit = 1 << 16;
// The rate is measured in milliseconds: what is far away is approached, so that an error of the rate counts only for the last stretch.
constexpr std::uint64_t exact_timer = 1'000'000'000;
constexpr std::uint64_t kept_back = 8; // of what is longer, one in so many parts
constexpr std::uint64_t largest_count = 0xffff'ffff;

struct Handler {
    std::atomic<InterruptHandler> function{nullptr};
    void* context = nullptr;
};
constinit SpinLock handlers_lock{LockRank::interrupt_handlers};
constinit Handler handlers[vector::device_last - vector::device_first + 1] BASE_GUARDED_BY(handlers_lock);

} // namespace

void initialize_interrupt_controllers() {
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    local = static_cast<volatile std::uint32_t*>(upcall::map_device(acpi().local_apic, 4096));
    if (acpi().io_apic == 0)
        return;
    io = static_cast<volatile std::uint32_t*>(upcall::map_device(acpi().io_apic, 4096));
    io_lock.assume_held(); // at boot
    const std::uint32_t last = read_io(1) >> 16 & 0xff;
    for (std::uint32_t i = 0; i <= last; ++i) {
        write_io(0x10 + 2 * i, masked_bit);
        write_io(0x11 + 2 * i, 0);
    }
}

void enable_local_apic() {
    write_msr(msr::apic_base, read_msr(msr::apic_base) | 0x800);
    write_local(priority, 0);
    write_local(lint0, masked_bit);
    write_local(lint1, 0x400); // NMI
    write_local(error_entry, masked_bit);
    write_local(divide, 0x3); // by 16: a long wait is one count
    write_local(timer_entry, vector::timer);
    write_local(spurious_vector, 0x100 | vector::spurious);
}

std::uint32_t local_apic_id() { return read_local(id) >> 24; }
void end_of_interrupt() { write_local(end, 0); }
void send_interrupt(std::uint32_t apic_id, std::uint8_t vector) { command(apic_id, 0x4000u | vector); }
void send_interrupt_to_others(std::uint8_t vector) { command(0, 0xc4000u | vector); }
void send_init(std::uint32_t apic_id) { command(apic_id, 0x4500); }
void send_startup(std::uint32_t apic_id, std::uint8_t page) { command(apic_id, 0x4600u | page); }

void calibrate_timer() {
    std::uint64_t best = 0;
    // A loaded host only ever makes an interval look longer; the timer's own count tells the same story, so the shortest interval is the best one.
    std::uint64_t shortest = ~0ull;
    for (int attempt = 0; attempt < 3; ++attempt) {
        write_local(initial_count, 0xffffffff);
        const std::uint64_t start = monotonic_nanoseconds();
        const std::uint32_t first = read_local(current_count);
        while (monotonic_nanoseconds() - start < 2'000'000) {
        }
        const std::uint32_t last = read_local(current_count);
        const std::uint64_t passed = monotonic_nanoseconds() - start;
        if (passed < shortest) {
            shortest = passed;
            best = std::uint64_t{first - last} * 1'000'000'000 / passed;
        }
    }
    timer_hertz = best != 0 ? best : 1'000'000;
    longest_timer = largest_count * 1'000'000'000 / timer_hertz;
    write_local(initial_count, 0);
}

std::uint64_t start_timer(std::uint64_t nanoseconds) {
    std::uint64_t limited = nanoseconds < exact_timer ? nanoseconds : nanoseconds - nanoseconds / kept_back;
    limited = limited < longest_timer ? limited : longest_timer;
    const std::uint64_t count = limited * timer_hertz / 1'000'000'000;
    write_local(initial_count, static_cast<std::uint32_t>(count < 1 ? 1 : count));
    return limited;
}

bool route_interrupt(std::uint32_t gsi, std::uint8_t vector, std::uint32_t apic_id, bool level, bool active_low) {
    const LockGuard guard(io_lock);
    if (io == nullptr || gsi < acpi().io_apic_base || gsi - acpi().io_apic_base > (read_io(1) >> 16 & 0xff))
        return false;
    const std::uint32_t pin = gsi - acpi().io_apic_base;
    write_io(0x11 + 2 * pin, apic_id << 24);
    write_io(0x10 + 2 * pin, masked_bit | vector | (active_low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
    return true;
}

void mask_interrupt(std::uint32_t gsi, bool masked) {
    const LockGuard guard(io_lock);
    const std::uint32_t number = 0x10 + 2 * (gsi - acpi().io_apic_base);
    const std::uint32_t value = read_io(number);
    write_io(number, masked ? value | masked_bit : value & ~masked_bit);
}

std::uint32_t isa_to_gsi(std::uint8_t irq, bool& level, bool& active_low) {
    level = active_low = false;
    const AcpiTables& tables = acpi();
    for (std::size_t i = 0; i < tables.override_count; ++i)
        if (tables.overrides[i].source == irq) {
            active_low = (tables.overrides[i].flags & 3) == 3;
            level = (tables.overrides[i].flags >> 2 & 3) == 3;
            return tables.overrides[i].gsi;
        }
    return irq;
}

std::uint8_t register_interrupt(InterruptHandler handler, void* context) {
    const LockGuard guard(handlers_lock);
    for (std::size_t i = 0; i < sizeof handlers / sizeof handlers[0]; ++i)
        if (handlers[i].function.load(std::memory_order_relaxed) == nullptr) {
            handlers[i].context = context;
            handlers[i].function.store(handler, std::memory_order_release);
            return static_cast<std::uint8_t>(vector::device_first + i);
        }
    return 0;
}

void unregister_interrupt(std::uint8_t number) {
    const LockGuard guard(handlers_lock);
    handlers[number - vector::device_first].function.store(nullptr, std::memory_order_release);
}

void dispatch_interrupt(std::uint8_t number) {
    // An interrupt may still arrive after its vector was given back.
    const LockGuard guard(handlers_lock);
    Handler& handler = handlers[number - vector::device_first];
    if (const InterruptHandler function = handler.function.load(std::memory_order_acquire))
        function(handler.context);
}

} // namespace kernel::arch
