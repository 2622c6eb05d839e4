// The requests by which programs look at network interfaces (netdevice(7)).
#pragma once
#include "linux/core/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace personality::net {

bool is_interface_request(std::uint32_t request);
// `argument` is the address of the call's copy of struct ifreq. Errors: ENODEV, EADDRNOTAVAIL, EPERM (what would change an interface), ENOTTY.
LinuxResult<std::uint64_t> interface_request(std::uint32_t request, std::uint64_t argument);

// struct ifreq with name and address, as SIOCGIFCONF lists it.
struct InterfaceRequest {
    char name[16];
    union {
        std::byte bytes[24];
        std::int32_t number;
        std::int16_t flags;
    };
};
static_assert(sizeof(InterfaceRequest) == 40);

inline constexpr std::size_t most_interfaces = 2;
// How many there are; fills what fits. Sandbox lock.
std::size_t list_interfaces(std::span<InterfaceRequest> to);

// For netlink and /proc. Index 1 is the loopback.
struct InterfaceView {
    std::int32_t index;
    const char* name;
    bool loopback;
    std::uint32_t address, netmask, broadcast, mtu, flags;
    std::uint64_t mac;
};
std::size_t interface_count();
InterfaceView interface_view(std::size_t position);

} // namespace personality::net
