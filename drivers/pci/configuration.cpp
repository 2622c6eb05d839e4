#include "drivers/pci/configuration.hpp"

#include "lib/native/kernel.hpp"

namespace pci {

namespace {

constexpr std::uint32_t address_port = 0xcf8, data_port = 0xcfc, word = 4;

} // namespace

void Configuration::select(Address address, unsigned offset) const {
    const std::uint32_t value = 0x80000000u | std::uint32_t{address.bus} << 16 | std::uint32_t{address.device} << 11 | std::uint32_t{address.function} << 8 | (offset & 0xfc);
    (void)native::call::io_port_write(ports_, address_port, word, value);
}

std::uint32_t Configuration::read32(Address address, unsigned offset) const {
    select(address, offset);
    return static_cast<std::uint32_t>(native::call::io_port_read(ports_, data_port, word).value_or(UINT32_MAX));
}

void Configuration::write32(Address address, unsigned offset, std::uint32_t value) const {
    select(address, offset);
    (void)native::call::io_port_write(ports_, data_port, word, value);
}

void Configuration::write16(Address address, unsigned offset, std::uint16_t value) const {
    // The upper half of command's word is status: zeros there change nothing.
    const std::uint32_t other = (offset & ~3u) == config::command ? 0 : read32(address, offset);
    const unsigned shift = 8 * (offset & 2);
    write32(address, offset & ~3u, (other & ~(0xffffu << shift)) | std::uint32_t{value} << shift);
}

} // namespace pci
