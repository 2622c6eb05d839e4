// Addresses as they travel in messages: the bytes in the order of the wire, the first the lowest (as in sockaddr_in and sockaddr_ll).
#pragma once
#include "servers/switch/packet.hpp"

namespace netswitch {

constexpr std::uint32_t address_to_wire(Address address) { return __builtin_bswap32(address); }
constexpr std::uint64_t mac_to_wire(Mac mac) { return __builtin_bswap64(mac) >> 16; }
constexpr Mac wire_to_mac(std::uint64_t value) { return __builtin_bswap64(value << 16); }
static_assert(wire_to_mac(mac_to_wire(0x0254'0000'0203)) == 0x0254'0000'0203);
static_assert((mac_to_wire(0x0254'0000'0203) & 0xff) == 0x02);

} // namespace netswitch
