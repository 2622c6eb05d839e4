#include "kernel/arch/x86_64/acpi.hpp"

#include <cstring>

#include "kernel/arch/upcalls.hpp"

namespace kernel::arch {

namespace {

constinit AcpiTables tables;

// ACPI 6.4, 5.2.6
struct [[gnu::packed]] Header {
    char signature[4];
    std::uint32_t length;
    std::uint8_t revision, checksum;
    char oem[6], oem_table[8];
    std::uint32_t oem_revision, creator, creator_revision;
};

template <class T> T read(const void* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// The whole table, mapped; null where its checksum is wrong.
const std::uint8_t* table_at(std::uint64_t physical) {
    const auto* header = static_cast<const Header*>(upcall::map_firmware(physical, sizeof(Header)));
    const std::uint32_t length = header->length;
    if (length < sizeof(Header) || length > (1 << 20))
        return nullptr;
    const auto* bytes = static_cast<const std::uint8_t*>(upcall::map_firmware(physical, length));
    std::uint8_t sum = 0;
    for (std::uint32_t i = 0; i < length; ++i)
        sum = static_cast<std::uint8_t>(sum + bytes[i]);
    return sum == 0 ? bytes : nullptr;
}

// 5.2.12: multiple APIC description table
void read_madt(const std::uint8_t* table, std::uint32_t length) {
    tables.local_apic = read<std::uint32_t>(table + 36);
    for (std::uint32_t offset = 44; offset + 2 <= length;) {
        const std::uint8_t* entry = table + offset;
        const std::uint8_t type = entry[0], size = entry[1];
        if (size < 2 || offset + size > length)
            break;
        const auto enabled = [](std::uint32_t flags) { return (flags & 1) != 0; };
        if (type == 0 && size >= 8 && enabled(read<std::uint32_t>(entry + 4)) && tables.cpu_count < 64)
            tables.apic_ids[tables.cpu_count++] = entry[3];
        else if (type == 9 && size >= 16 && enabled(read<std::uint32_t>(entry + 8)) && tables.cpu_count < 64)
            tables.apic_ids[tables.cpu_count++] = read<std::uint32_t>(entry + 4);
        else if (type == 1 && size >= 12 && tables.io_apic == 0) {
            tables.io_apic = read<std::uint32_t>(entry + 4);
            tables.io_apic_base = read<std::uint32_t>(entry + 8);
        } else if (type == 2 && size >= 10 && tables.override_count < 24)
            tables.overrides[tables.override_count++] = {entry[3], read<std::uint32_t>(entry + 4), read<std::uint16_t>(entry + 8)};
        else if (type == 5 && size >= 12)
            tables.local_apic = read<std::uint64_t>(entry + 4);
        offset += size;
    }
}

void read_table(std::uint64_t physical) {
    const std::uint8_t* table = table_at(physical);
    if (table == nullptr)
        return;
    const auto length = read<std::uint32_t>(table + 4);
    if (std::memcmp(table, "APIC", 4) == 0 && length >= 44)
        read_madt(table, length);
    else if (std::memcmp(table, "FACP", 4) == 0 && length >= 80)
        tables.pm_timer_port = static_cast<std::uint16_t>(read<std::uint32_t>(table + 76));
}

} // namespace

const AcpiTables& read_acpi(std::uint64_t rsdp) {
    if (rsdp == 0)
        return tables;
    const auto* pointer = static_cast<const std::uint8_t*>(upcall::map_firmware(rsdp, 36));
    if (std::memcmp(pointer, "RSD PTR ", 8) != 0) {
        upcall::log("acpi: no root pointer at %x", rsdp);
        return tables;
    }
    const bool extended = pointer[15] >= 2 && read<std::uint64_t>(pointer + 24) != 0;
    const std::uint64_t root = extended ? read<std::uint64_t>(pointer + 24) : read<std::uint32_t>(pointer + 16);
    const std::uint8_t* table = table_at(root);
    if (table == nullptr)
        return tables;
    const std::size_t width = extended ? 8 : 4;
    const auto length = read<std::uint32_t>(table + 4);
    for (std::size_t offset = sizeof(Header); offset + width <= length; offset += width)
        read_table(extended ? read<std::uint64_t>(table + offset) : read<std::uint32_t>(table + offset));
    return tables;
}

const AcpiTables& acpi() { return tables; }

} // namespace kernel::arch
