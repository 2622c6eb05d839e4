#include "linux/net/inet_socket.hpp"

#include "lwip/opt.h"

#include "lib/base/result.hpp"
#include "linux/net/raw_socket.hpp"
#include "linux/net/stack.hpp"
#include "linux/net/tcp_socket.hpp"
#include "linux/net/udp_socket.hpp"

#include <new>

namespace personality {

namespace {
namespace protocol {
constexpr std::uint32_t ip = 0, icmp = 1, tcp = 6, udp = 17;
}

LinuxResult<base::Ref<File>> adopt(File* file) {
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<File>::adopt(*file);
}
} // namespace

LinuxResult<base::Ref<File>> InetSocket::make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags, bool may_raw) {
    switch (type) {
    case socket_type::stream:
        if (protocol != protocol::ip && protocol != protocol::tcp)
            return fail(Errno::EPROTONOSUPPORT);
        return adopt(new (std::nothrow) TcpSocket(open_flags));
    case socket_type::datagram:
        if (protocol == protocol::icmp)
            return RawSocket::make(type, protocol, open_flags);
        if (protocol != protocol::ip && protocol != protocol::udp)
            return fail(Errno::EPROTONOSUPPORT);
        return UdpSocket::make(open_flags);
    case socket_type::raw:
        if (!may_raw)
            return fail(Errno::EPERM);
        if (protocol == protocol::ip || protocol > 255)
            return fail(Errno::EPROTONOSUPPORT);
        return RawSocket::make(type, protocol, open_flags);
    default: return fail(Errno::ESOCKTNOSUPPORT);
    }
}

LinuxResult<std::int32_t> option_number(std::span<const std::byte> value) {
    std::int32_t number = 0;
    if (value.size() >= sizeof number)
        std::memcpy(&number, value.data(), sizeof number);
    else if (!value.empty())
        number = static_cast<std::uint8_t>(value[0]);
    else
        return fail(Errno::EINVAL);
    return number;
}

LinuxResult<void> InetSocket::check_local(std::uint32_t address) {
    const net::InterfaceSettings* settings = net::interface_settings();
    if (address == inet::any || address == inet::loopback || (settings != nullptr && address == settings->address))
        return {};
    return fail(Errno::EADDRNOTAVAIL);
}

LinuxResult<void> InetSocket::set_option(int level, int name, std::span<const std::byte> value) {
    if (level == socket_level::socket) {
        TRY(Socket::set_option(level, name, value));
        options_changed();
        return {};
    }
    if (level != socket_level::ip)
        return fail(Errno::ENOPROTOOPT);
    using namespace ip_option;
    const std::int32_t number = TRY(option_number(value));
    switch (name) {
    case type_of_service: type_of_service_ = static_cast<std::uint8_t>(number); break;
    case time_to_live:
        if (number != -1 && (number < 1 || number > 255))
            return fail(Errno::EINVAL);
        time_to_live_ = number == -1 ? IP_DEFAULT_TTL : static_cast<std::uint8_t>(number);
        break;
    case multicast_ttl:
        if (number < -1 || number > 255)
            return fail(Errno::EINVAL);
        multicast_ttl_ = number == -1 ? 1 : static_cast<std::uint8_t>(number);
        break;
    case mtu_discover:
        if (number < 0 || number > 5)
            return fail(Errno::EINVAL);
        mtu_discover_ = number;
        break;
    case receive_errors: receive_errors_ = number != 0; break;
    case receive_ttl: receive_ttl_ = number != 0; break;
    case receive_tos: receive_tos_ = number != 0; break;
    case packet_information: packet_information_ = number != 0; break;
    case free_bind: free_bind_ = number != 0; break;
    case bind_address_no_port: case multicast_all: break; // hints
    default: return fail(Errno::ENOPROTOOPT);
    }
    options_changed();
    return {};
}

LinuxResult<std::size_t> InetSocket::get_option(int level, int name, std::span<std::byte> value) {
    if (level != socket_level::ip)
        return Socket::get_option(level, name, value);
    using namespace ip_option;
    std::int32_t number = 0;
    switch (name) {
    case type_of_service: number = type_of_service_; break;
    case time_to_live: number = time_to_live_; break;
    case multicast_ttl: number = multicast_ttl_; break;
    case mtu_discover: number = mtu_discover_; break;
    case mtu: number = 1500; break;
    case receive_errors: number = receive_errors_; break;
    case receive_ttl: number = receive_ttl_; break;
    case receive_tos: number = receive_tos_; break;
    case packet_information: number = packet_information_; break;
    case free_bind: number = free_bind_; break;
    case bind_address_no_port: break;
    case multicast_all: number = 1; break;
    case options: return std::size_t{0};
    default: return fail(Errno::ENOPROTOOPT);
    }
    return option_value(value, number);
}

} // namespace personality
