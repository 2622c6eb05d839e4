#include "linux/net/netlink_socket.hpp"

#include "lib/base/result.hpp"
#include "linux/net/netlink_message.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {
constexpr std::uint32_t netlink_route = 0;
constexpr std::uint32_t group_limit = 64 * 1024; // bytes of answers that wait

struct WireAddress { // struct sockaddr_nl
    std::uint16_t family, padding;
    std::uint32_t port, groups;
};

SocketAddress netlink_address(std::uint32_t port) {
    const WireAddress wire{address_family::netlink, 0, port, 0};
    SocketAddress address;
    address.length = sizeof wire;
    std::memcpy(address.bytes.data(), &wire, sizeof wire);
    return address;
}

LinuxResult<WireAddress> wire_address(const SocketAddress& address) {
    WireAddress wire;
    if (address.length < sizeof wire || address.family() != address_family::netlink)
        return fail(Errno::EINVAL);
    std::memcpy(&wire, address.bytes.data(), sizeof wire);
    return wire;
}

std::uint32_t last_port = 0;
} // namespace

LinuxResult<base::Ref<File>> NetlinkSocket::make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags) {
    if (type != socket_type::raw && type != socket_type::datagram)
        return fail(Errno::ESOCKTNOSUPPORT);
    if (protocol != netlink_route)
        return fail(Errno::EPROTONOSUPPORT);
    auto* socket = new (std::nothrow) NetlinkSocket(address_family::netlink, type, protocol, open_flags);
    if (socket == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<File>::adopt(*socket);
}

std::uint32_t NetlinkSocket::port() {
    if (port_ == 0) { // the first socket of a process has its number there; others, one of the system's choice
        port_ = static_cast<std::uint32_t>(current_unix_credentials().process);
        if (last_port != 0 || port_ == 0)
            port_ = 0xffff'f000 - ++last_port;
        else
            ++last_port;
    }
    return port_;
}

LinuxResult<void> NetlinkSocket::bind(const SocketAddress& address) {
    const WireAddress wire = TRY(wire_address(address));
    if (wire.groups != 0)
        return fail(Errno::EPERM); // nothing is announced here, so nobody may wait for it
    if (wire.port != 0)
        port_ = wire.port;
    (void)port();
    return {};
}

LinuxResult<void> NetlinkSocket::connect(const SocketAddress& address) {
    const WireAddress wire = TRY(wire_address(address));
    if (wire.port != 0 || wire.groups != 0)
        return fail(Errno::EPERM); // the kernel is the only peer
    (void)port();
    return {};
}

LinuxResult<void> NetlinkSocket::local_address(SocketAddress& address) {
    address = netlink_address(port_);
    return {};
}

LinuxResult<void> NetlinkSocket::peer_address(SocketAddress& address) {
    address = netlink_address(0);
    return {};
}

LinuxResult<void> NetlinkSocket::set_option(int level, int name, std::span<const std::byte> value) {
    constexpr int level_netlink = 270, extended_acknowledgement = 11, strict_check = 12;
    if (level == level_netlink) {
        if (name == extended_acknowledgement) // only adds to errors, which may be without
            return {};
        return fail(name == strict_check ? Errno::EINVAL : Errno::ENOPROTOOPT);
    }
    return Socket::set_option(level, name, value);
}

LinuxResult<std::size_t> NetlinkSocket::send(SendRequest& request) {
    if (request.to != nullptr && request.to->length != 0) {
        const WireAddress wire = TRY(wire_address(*request.to));
        if (wire.port != 0 || wire.groups != 0)
            return fail(Errno::EPERM);
    }
    if (answers_.size() - taken_ > group_limit)
        return fail(Errno::ENOBUFS);
    for (std::span<const std::byte> rest = request.data; rest.size() >= sizeof(net::NetlinkHeader);) {
        net::NetlinkHeader header;
        std::memcpy(&header, rest.data(), sizeof header);
        if (header.length < sizeof header || header.length > rest.size())
            break;
        net::NetlinkAnswer answer(header, port());
        answer.make(rest.subspan(sizeof header, header.length - sizeof header));
        for (const auto part : answer.datagrams()) {
            if (part.empty())
                continue;
            const auto length = static_cast<std::uint32_t>(part.size());
            if (!answers_.append(std::as_bytes(std::span(&length, 1))) || !answers_.append(part))
                return fail(Errno::ENOBUFS);
        }
        rest = rest.subspan(std::min<std::size_t>(rest.size(), (header.length + 3) & ~3u));
    }
    queue_.wake(poll_event::readable);
    return request.data.size();
}

LinuxResult<std::size_t> NetlinkSocket::receive(ReceiveRequest& request) {
    const abi::Deadline deadline = receive_deadline();
    while (taken_ == answers_.size()) {
        if (!waits(request.flags))
            return fail(Errno::EAGAIN);
        TRY(wait_on(queue_, deadline));
    }
    std::uint32_t length = 0;
    std::memcpy(&length, answers_.data() + taken_, sizeof length);
    const std::size_t count = std::min<std::size_t>(length, request.data.size());
    if (count != 0)
        std::memcpy(request.data.data(), answers_.data() + taken_ + sizeof length, count);
    request.full_length = length;
    if (count < length)
        request.result_flags |= message_flag::truncated;
    request.from = netlink_address(0);
    if ((request.flags & message_flag::peek) == 0) {
        taken_ += sizeof length + length;
        if (taken_ == answers_.size()) {
            answers_.clear();
            taken_ = 0;
        }
    }
    return count;
}

std::uint32_t NetlinkSocket::poll() { return poll_event::writable | (taken_ != answers_.size() ? poll_event::readable : 0u); }

} // namespace personality
