// Configuration space of PCI functions by the ports 0xcf8 and 0xcfc (PCI Local Bus 3.0, 3.2.2.3.2).
#pragma once
#include "abi/types.hpp"

#include <cstdint>

namespace pci {

struct Address {
    std::uint8_t bus = 0, device = 0, function = 0;
};

class Configuration {
public:
    // `ports`: IoPort with the eight ports from 0xcf8 on. Borrowed.
    explicit Configuration(abi::Handle ports) : ports_(ports) {}
    // `offset` below 256. What no device answers reads as all ones.
    std::uint32_t read32(Address address, unsigned offset) const;
    std::uint16_t read16(Address address, unsigned offset) const { return static_cast<std::uint16_t>(read32(address, offset) >> 8 * (offset & 2)); }
    std::uint8_t read8(Address address, unsigned offset) const { return static_cast<std::uint8_t>(read32(address, offset) >> 8 * (offset & 3)); }
    void write32(Address address, unsigned offset, std::uint32_t value) const;
    // By reading and writing the whole word: not for the status register, whose bits are cleared by writing them.
    void write16(Address address, unsigned offset, std::uint16_t value) const;

private:
    void select(Address address, unsigned offset) const;
    abi::Handle ports_;
};

namespace config {
inline constexpr unsigned vendor = 0x00, device = 0x02, command = 0x04, status = 0x06, revision = 0x08, class_code = 0x09, header_type = 0x0e, bar0 = 0x10,
                          secondary_bus = 0x19, subsystem = 0x2e, capabilities = 0x34;
inline constexpr std::uint16_t command_memory = 2, command_master = 4, status_capabilities = 0x10;
} // namespace config

} // namespace pci
