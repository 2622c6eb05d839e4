// Configuration space of PCI functions (PCI Local Bus 3.0, 6.1). What is read from it is the device's word.
#pragma once
#include "abi/types.hpp"

#include <cstdint>

namespace pci {

struct Address {
    std::uint8_t bus = 0, device = 0, function = 0;
};

namespace config {
inline constexpr unsigned vendor = 0x00, device = 0x02, command = 0x04, status = 0x06, revision = 0x08, class_code = 0x09, header_type = 0x0e, bar0 = 0x10,
                          secondary_bus = 0x19, subsystem = 0x2e, capabilities = 0x34, first_capability = 0x40, end = 0x100;
inline constexpr std::uint16_t command_memory = 2, command_master = 4, status_capabilities = 0x10;
} // namespace config

class Configuration {
public:
    // `offset` below 256. What no device answers reads as all ones.
    virtual std::uint32_t read32(Address address, unsigned offset) const = 0;
    virtual void write32(Address address, unsigned offset, std::uint32_t value) const = 0;
    std::uint16_t read16(Address address, unsigned offset) const { return static_cast<std::uint16_t>(read32(address, offset) >> 8 * (offset & 2)); }
    std::uint8_t read8(Address address, unsigned offset) const { return static_cast<std::uint8_t>(read32(address, offset) >> 8 * (offset & 3)); }
    // By reading and writing the whole word: not for the status register, whose bits are cleared by writing them.
    void write16(Address address, unsigned offset, std::uint16_t value) const {
        // The upper half of command's word is status: zeros there change nothing.
        const std::uint32_t other = (offset & ~3u) == config::command ? 0 : read32(address, offset);
        const unsigned shift = 8 * (offset & 2);
        write32(address, offset & ~3u, (other & ~(0xffffu << shift)) | std::uint32_t{value} << shift);
    }

protected:
    ~Configuration() = default;
};

// By the ports 0xcf8 and 0xcfc (3.2.2.3.2).
class PortConfiguration final : public Configuration {
public:
    // `ports`: IoPort with the eight ports from 0xcf8 on. Borrowed.
    explicit PortConfiguration(abi::Handle ports) : ports_(ports) {}
    std::uint32_t read32(Address address, unsigned offset) const override;
    void write32(Address address, unsigned offset, std::uint32_t value) const override;

private:
    void select(Address address, unsigned offset) const;
    abi::Handle ports_;
};

} // namespace pci
