#include "linux/net/raw_socket.hpp"

#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/raw.h"

#include "lib/base/result.hpp"
#include "linux/net/errors.hpp"
#include "linux/net/random.hpp"
#include "linux/net/stack.hpp"

#include <new>

namespace personality {

namespace {
constexpr int level_raw = 255, icmp_filter = 1;
constexpr std::uint32_t protocol_raw = 255;
} // namespace

LinuxResult<base::Ref<File>> RawSocket::make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags) {
    raw_pcb* pcb = raw_new(static_cast<u8_t>(protocol));
    if (pcb == nullptr)
        return fail(Errno::ENOBUFS);
    auto* socket = new (std::nothrow) RawSocket(pcb, type, protocol, open_flags);
    if (socket == nullptr) {
        raw_remove(pcb);
        return fail(Errno::ENOMEM);
    }
    return base::Ref<File>::adopt(*socket);
}

RawSocket::RawSocket(raw_pcb* pcb, std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags)
    : DatagramSocket(address_family::inet, type, protocol, open_flags), pcb_(pcb), header_included_(protocol == protocol_raw) {
    raw_recv(pcb_, on_receive, this);
    if (ping())
        local_.port = static_cast<std::uint16_t>(net::random().next() | 1); // the identifier of its echo requests
    options_changed();
}

RawSocket::~RawSocket() { raw_remove(pcb_); }

void RawSocket::options_changed() {
    pcb_->so_options = options_.broadcast ? SOF_BROADCAST : 0;
    pcb_->ttl = time_to_live_;
    pcb_->tos = type_of_service_;
    pcb_->flags = static_cast<u8_t>(header_included_ ? pcb_->flags | RAW_FLAGS_HDRINCL : pcb_->flags & ~RAW_FLAGS_HDRINCL);
}

// Others want the packet too: the socket gets a copy.
u8_t RawSocket::on_receive(void* self, raw_pcb*, pbuf* packet, const ip_addr_t* from) {
    auto& socket = *static_cast<RawSocket*>(self);
    const u16_t header = ip_current_header_tot_len();
    std::uint8_t icmp[8] = {};
    if (socket.protocol() == IP_PROTO_ICMP) {
        if (pbuf_copy_partial(packet, icmp, sizeof icmp, header) != sizeof icmp)
            return 0;
        if (icmp[0] < 32 && (socket.filter_ & (1u << icmp[0])) != 0)
            return 0;
        if (socket.ping() && (icmp[0] != ICMP_ER || (icmp[4] << 8 | icmp[5]) != socket.local_.port))
            return 0;
    }
    if (socket.connected_ && from->addr != socket.peer_.address)
        return 0;
    pbuf* copy = pbuf_clone(PBUF_RAW, PBUF_RAM, packet);
    if (copy == nullptr)
        return 0;
    if (socket.ping())
        (void)pbuf_remove_header(copy, header);
    socket.deliver({.packet = copy,
                    .address = from->addr,
                    .ttl = IPH_TTL(ip4_current_header()),
                    .tos = IPH_TOS(ip4_current_header()),
                    .destination = ip4_current_dest_addr()->addr});
    return 0;
}

LinuxResult<void> RawSocket::bind(const SocketAddress& address) {
    const InetAddress wanted = TRY(inet_address(address));
    TRY(check_local(wanted.address));
    const ip_addr_t ip{wanted.address};
    (void)raw_bind(pcb_, &ip);
    local_.address = wanted.address;
    if (ping() && wanted.port != 0)
        local_.port = wanted.port;
    return {};
}

LinuxResult<void> RawSocket::connect(const SocketAddress& address) {
    if (address.length >= 2 && address.family() == address_family::unspecified) {
        connected_ = false;
        peer_ = {};
        return {};
    }
    peer_ = TRY(inet_address(address));
    if (peer_.address == inet::any)
        peer_.address = inet::loopback;
    const ip_addr_t ip{peer_.address};
    const netif* interface = ip4_route_src(&pcb_->local_ip, &ip);
    if (interface == nullptr)
        return fail(Errno::ENETUNREACH);
    if (local_.address == inet::any)
        local_.address = netif_ip4_addr(interface)->addr;
    connected_ = true;
    return {};
}

// A ping socket sends echo requests alone; the identifier and the checksum are the system's.
LinuxResult<void> RawSocket::prepare_ping(pbuf& packet) {
    if (packet.len < 8)
        return fail(Errno::EINVAL);
    auto* bytes = static_cast<std::uint8_t*>(packet.payload);
    if (bytes[0] != ICMP_ECHO || bytes[1] != 0)
        return fail(Errno::EINVAL);
    bytes[2] = bytes[3] = 0;
    bytes[4] = static_cast<std::uint8_t>(local_.port >> 8);
    bytes[5] = static_cast<std::uint8_t>(local_.port);
    const u16_t sum = inet_chksum(bytes, packet.len);
    std::memcpy(bytes + 2, &sum, sizeof sum);
    return {};
}

LinuxResult<std::size_t> RawSocket::send(SendRequest& request) {
    const InetAddress to = TRY(destination(request));
    if (request.data.size() > 65535 - (header_included_ ? 0 : 20))
        return fail(Errno::EMSGSIZE);
    if (header_included_ && request.data.size() < 20)
        return fail(Errno::EINVAL);
    pbuf* packet = pbuf_alloc(header_included_ ? PBUF_LINK : PBUF_IP, static_cast<u16_t>(request.data.size()), PBUF_RAM);
    if (packet == nullptr)
        return fail(Errno::ENOBUFS);
    if (!request.data.empty())
        (void)pbuf_take(packet, request.data.data(), static_cast<u16_t>(request.data.size()));
    if (ping())
        if (auto prepared = prepare_ping(*packet); !prepared) {
            pbuf_free(packet);
            return fail(prepared.error());
        }
    const ip_addr_t ip{to.address};
    const err_t error = raw_sendto(pcb_, packet, &ip);
    pbuf_free(packet);
    net::settle();
    if (error != ERR_OK)
        return fail(net::to_errno(error));
    return request.data.size();
}

LinuxResult<void> RawSocket::set_option(int level, int name, std::span<const std::byte> value) {
    if (level == level_raw && name == icmp_filter && protocol() == IP_PROTO_ICMP) {
        std::memcpy(&filter_, value.data(), value.size() < sizeof filter_ ? value.size() : sizeof filter_);
        return {};
    }
    if (level == socket_level::ip && name == ip_option::header_included && !ping()) {
        header_included_ = TRY(option_number(value)) != 0;
        options_changed();
        return {};
    }
    return InetSocket::set_option(level, name, value);
}

LinuxResult<std::size_t> RawSocket::get_option(int level, int name, std::span<std::byte> value) {
    if (level == level_raw && name == icmp_filter && protocol() == IP_PROTO_ICMP)
        return option_value(value, filter_);
    if (level == socket_level::ip && name == ip_option::header_included)
        return option_value(value, std::int32_t{header_included_});
    return InetSocket::get_option(level, name, value);
}

} // namespace personality
