// struct sockaddr_in.
#pragma once
#include "linux/ipc/socket.hpp"

namespace personality {

struct InetAddress {
    std::uint32_t address = 0; // as it travels: the first byte is the lowest
    std::uint16_t port = 0;    // in the machine's order

    bool operator==(const InetAddress&) const = default;
};

namespace inet {
inline constexpr std::uint32_t any = 0, broadcast = 0xffffffff, loopback = 0x0100007f; // 127.0.0.1
inline constexpr bool is_loopback(std::uint32_t address) { return (address & 0xff) == 127; }
inline constexpr bool is_multicast(std::uint32_t address) { return (address & 0xf0) == 0xe0; }
} // namespace inet

// Errors: EINVAL (too short), EAFNOSUPPORT.
LinuxResult<InetAddress> inet_address(const SocketAddress& address);
SocketAddress socket_address(const InetAddress& address);

} // namespace personality
