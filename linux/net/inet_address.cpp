#include "linux/net/inet_address.hpp"

namespace personality {

namespace {
struct WireAddress { // struct sockaddr_in
    std::uint16_t family;
    std::uint16_t port; // big-endian
    std::uint32_t address;
    std::uint64_t zero;
};
static_assert(sizeof(WireAddress) == 16);
} // namespace

LinuxResult<InetAddress> inet_address(const SocketAddress& address) {
    if (address.length < sizeof(WireAddress))
        return fail(Errno::EINVAL);
    WireAddress wire;
    std::memcpy(&wire, address.bytes.data(), sizeof wire);
    if (wire.family != address_family::inet)
        return fail(Errno::EAFNOSUPPORT);
    return InetAddress{wire.address, __builtin_bswap16(wire.port)};
}

SocketAddress socket_address(const InetAddress& address) {
    const WireAddress wire{address_family::inet, __builtin_bswap16(address.port), address.address, 0};
    SocketAddress result;
    result.length = sizeof wire;
    std::memcpy(result.bytes.data(), &wire, sizeof wire);
    return result;
}

} // namespace personality
