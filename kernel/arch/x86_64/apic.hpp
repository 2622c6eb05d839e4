// Interrupt controllers: the local APIC of each CPU (xAPIC registers), its timer, and the IO APIC.
#pragma once
#include <cstdint>

namespace kernel::arch {

namespace vector {
inline constexpr std::uint8_t device_first = 0x30; // devices: 0x30..0xdf
inline constexpr std::uint8_t device_last = 0xdf;
inline constexpr std::uint8_t timer = 0xe0;
inline constexpr std::uint8_t reschedule = 0xe1;
inline constexpr std::uint8_t shootdown = 0xe2;
inline constexpr std::uint8_t halt = 0xe3;
inline constexpr std::uint8_t spurious = 0xff;
} // namespace vector

// Maps the registers and masks the two PICs. Once.
void initialize_interrupt_controllers();
// For each CPU.
void enable_local_apic();
std::uint32_t local_apic_id();
void end_of_interrupt();

void send_interrupt(std::uint32_t apic_id, std::uint8_t vector);
void send_interrupt_to_others(std::uint8_t vector);
void send_init(std::uint32_t apic_id);
void send_startup(std::uint32_t apic_id, std::uint8_t page);

// Measures the local timer. Needs the clock.
void calibrate_timer();
// One interrupt of this CPU's timer in `nanoseconds`, or sooner where that is more than a second: the result tells. Replaces the one before.
std::uint64_t start_timer(std::uint64_t nanoseconds);

// Routes a global system interrupt to a CPU, masked. ISA interrupts' overrides are applied by isa_to_gsi.
bool route_interrupt(std::uint32_t gsi, std::uint8_t vector, std::uint32_t apic_id, bool level, bool active_low);
void mask_interrupt(std::uint32_t gsi, bool masked);
std::uint32_t isa_to_gsi(std::uint8_t irq, bool& level, bool& active_low);

// Calls `handler(context)` for a device vector, with interrupts off, the end of interrupt already sent. Gives the vector, 0 where none is left.
using InterruptHandler = void (*)(void* context);
std::uint8_t register_interrupt(InterruptHandler handler, void* context);
void unregister_interrupt(std::uint8_t vector);
void dispatch_interrupt(std::uint8_t vector);

} // namespace kernel::arch
