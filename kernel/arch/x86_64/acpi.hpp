// What the kernel reads from ACPI: processors, IO APICs, interrupt overrides, the HPET is left to others. All values are checked against the tables' lengths.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernel::arch {

struct Override {
    std::uint8_t source; // ISA interrupt
    std::uint32_t gsi;
    std::uint16_t flags; // MPS INTI: bits 0-1 polarity, 2-3 trigger
};

struct AcpiTables {
    std::uint32_t apic_ids[64] = {};
    std::size_t cpu_count = 0;
    std::uint64_t local_apic = 0xfee00000;
    std::uint64_t io_apic = 0;
    std::uint32_t io_apic_base = 0; // first GSI
    Override overrides[24] = {};
    std::size_t override_count = 0;
    std::uint16_t pm_timer_port = 0; // 0: none
};

// `rsdp`: physical address of the root pointer, 0 for none. Missing tables leave the defaults: one CPU, no IO APIC.
const AcpiTables& read_acpi(std::uint64_t rsdp);
const AcpiTables& acpi();

} // namespace kernel::arch
