#include "drivers/pci/configuration.hpp"

#include "lib/native/kernel.hpp"

namespace pci {

namespace {

constexpr std::uint32_t address_port = 0xcf8, data_port = 0xcfc, word = 4;

} // namespace

void PortConfiguration::select(Address address, unsigned offset) const {
    const std::uint32_t value = 0x80000000u | std::uint32_t{address.bus} << 16 | std::uint32_t{address.device} << 11 | std::uint32_t{address.function} << 8 | (offset & 0xfc);
    (void)native::call::io_port_write(ports_, address_port, word, value);
}

std::uint32_t PortConfiguration::read32(Address address, unsigned offset) const {
    select(address, offset);
    return static_cast<std::uint32_t>(native::call::io_port_read(ports_, data_port, word).value_or(UINT32_MAX));
}

void PortConfiguration::write32(Address address, unsigned offset, std::uint32_t value) const {
    select(address, offset);
    (void)native::call::io_port_write(ports_, data_port, word, value);
}

} // namespace pci
