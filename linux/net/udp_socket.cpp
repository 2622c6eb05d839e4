#include "linux/net/udp_socket.hpp"

#include "lwip/icmp.h"
#include "lwip/ip.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#include "lib/base/result.hpp"
#include "linux/net/errors.hpp"
#include "linux/net/stack.hpp"

#include <new>

namespace personality {

namespace {
constexpr std::size_t largest_message = 65507;
}

LinuxResult<base::Ref<File>> UdpSocket::make(std::uint32_t open_flags) {
    udp_pcb* pcb = udp_new();
    if (pcb == nullptr)
        return fail(Errno::ENOBUFS);
    auto* socket = new (std::nothrow) UdpSocket(pcb, open_flags);
    if (socket == nullptr) {
        udp_remove(pcb);
        return fail(Errno::ENOMEM);
    }
    return base::Ref<File>::adopt(*socket);
}

UdpSocket::UdpSocket(udp_pcb* pcb, std::uint32_t open_flags)
    : DatagramSocket(address_family::inet, socket_type::datagram, IP_PROTO_UDP, open_flags), pcb_(pcb) {
    udp_recv(pcb_, on_receive, this);
    options_changed();
}

UdpSocket::~UdpSocket() { udp_remove(pcb_); }

void UdpSocket::options_changed() {
    pcb_->so_options = static_cast<u8_t>((options_.reuse_address || options_.reuse_port ? SOF_REUSEADDR : 0) | (options_.broadcast ? SOF_BROADCAST : 0));
    pcb_->ttl = time_to_live_;
    pcb_->tos = type_of_service_;
}

void UdpSocket::note_local() { local_ = {pcb_->local_ip.addr, pcb_->local_port}; }

void UdpSocket::on_receive(void* self, udp_pcb*, pbuf* packet, const ip_addr_t* from, u16_t port) {
    static_cast<UdpSocket*>(self)->deliver({.packet = packet,
                                            .address = from->addr,
                                            .port = port,
                                            .ttl = IPH_TTL(ip4_current_header()),
                                            .tos = IPH_TOS(ip4_current_header()),
                                            .destination = ip4_current_dest_addr()->addr});
}

LinuxResult<void> UdpSocket::bind(const SocketAddress& address) {
    const InetAddress wanted = TRY(inet_address(address));
    if (local_.port != 0)
        return fail(Errno::EINVAL);
    if (wanted.address != inet::broadcast && !inet::is_multicast(wanted.address))
        TRY(check_local(wanted.address));
    const ip_addr_t ip{wanted.address};
    if (const err_t error = udp_bind(pcb_, &ip, wanted.port); error != ERR_OK)
        return fail(net::to_errno(error));
    note_local();
    return {};
}

LinuxResult<void> UdpSocket::connect(const SocketAddress& address) {
    if (address.length >= 2 && address.family() == address_family::unspecified) {
        udp_disconnect(pcb_);
        connected_ = false;
        peer_ = {};
        note_local();
        return {};
    }
    InetAddress wanted = TRY(inet_address(address));
    if (wanted.address == inet::any)
        wanted.address = inet::loopback;
    const ip_addr_t ip{wanted.address};
    netif* interface = ip4_route_src(&pcb_->local_ip, &ip);
    if (interface == nullptr)
        return fail(Errno::ENETUNREACH);
    if (const err_t error = udp_connect(pcb_, &ip, wanted.port); error != ERR_OK)
        return fail(net::to_errno(error));
    peer_ = wanted;
    connected_ = true;
    note_local();
    if (local_.address == inet::any)
        local_.address = netif_ip4_addr(interface)->addr; // what getsockname shows, and what resolvers ask for by it
    return {};
}

LinuxResult<std::size_t> UdpSocket::send(SendRequest& request) {
    const InetAddress to = TRY(destination(request));
    if (to.port == 0)
        return fail(Errno::EINVAL);
    if (request.data.size() > largest_message)
        return fail(Errno::EMSGSIZE);
    pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(request.data.size()), PBUF_RAM);
    if (packet == nullptr)
        return fail(Errno::ENOBUFS);
    if (!request.data.empty())
        (void)pbuf_take(packet, request.data.data(), static_cast<u16_t>(request.data.size()));
    const ip_addr_t ip{to.address};
    const err_t error = udp_sendto(pcb_, packet, &ip, to.port);
    pbuf_free(packet);
    if (local_.port == 0)
        note_local();
    net::settle();
    if (error != ERR_OK)
        return fail(net::to_errno(error));
    return request.data.size();
}

void UdpSocket::watch_errors() {
    if (raw_pcb* watch = raw_new(IP_PROTO_ICMP); watch != nullptr)
        raw_recv(watch, on_error, nullptr);
}

// A packet that came back in an ICMP "destination unreachable" is an error of the connected socket that sent it. The packet goes on to everybody else.
u8_t UdpSocket::on_error(void*, raw_pcb*, pbuf* packet, const ip_addr_t*) {
    struct Quoted {
        std::uint8_t version_and_length, tos;
        std::uint16_t length, identification, offset;
        std::uint8_t ttl, protocol;
        std::uint16_t checksum;
        std::uint32_t source, destination;
    };
    static_assert(sizeof(Quoted) == 20);
    const u16_t start = ip_current_header_tot_len();
    std::uint8_t icmp[8];
    Quoted quoted;
    std::uint16_t ports[2];
    if (pbuf_copy_partial(packet, icmp, sizeof icmp, start) != sizeof icmp || icmp[0] != ICMP_DUR ||
        pbuf_copy_partial(packet, &quoted, sizeof quoted, static_cast<u16_t>(start + 8)) != sizeof quoted || quoted.protocol != IP_PROTO_UDP ||
        pbuf_copy_partial(packet, ports, sizeof ports, static_cast<u16_t>(start + 8 + (quoted.version_and_length & 15) * 4)) != sizeof ports)
        return 0;
    const InetAddress sender{quoted.source, __builtin_bswap16(ports[0])}, target{quoted.destination, __builtin_bswap16(ports[1])};
    for (udp_pcb* pcb = udp_pcbs; pcb != nullptr; pcb = pcb->next) {
        if (pcb->recv != on_receive || pcb->local_port != sender.port)
            continue;
        auto& socket = *static_cast<UdpSocket*>(pcb->recv_arg);
        if (!socket.connected_ || socket.peer_ != target)
            continue;
        socket.error_ = icmp[1] == 0 ? Errno::ENETUNREACH : icmp[1] == 1 ? Errno::EHOSTUNREACH : Errno::ECONNREFUSED;
        socket.queue_.wake();
    }
    return 0;
}

} // namespace personality
