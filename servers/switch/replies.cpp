#include "servers/switch/replies.hpp"

#include <algorithm>

namespace netswitch {

namespace {
constexpr std::size_t icmp_header = 8;
constexpr std::size_t tcp_header = 20;
constexpr bool unicast(Address address) { return address >> 28 < 0xe && address >> 24 != 0 && address >> 24 != 127; }
} // namespace

std::size_t build_reset(Bytes out, const Packet& packet, const Transport& transport, std::uint16_t identification) {
    if (packet.protocol != protocol::tcp || packet.fragment() || (transport.tcp_flags & tcp_flag::reset) != 0)
        return 0;
    const View segment = packet.payload;
    const Bytes tcp = out.subspan(ipv4_header, tcp_header);
    std::fill(tcp.begin(), tcp.end(), std::byte{0});
    put16(tcp, 0, transport.destination_port);
    put16(tcp, 2, transport.source_port);
    put8(tcp, 12, 5 << 4);
    if (transport.tcp_flags & tcp_flag::ack) {
        put32(tcp, 4, get32(segment, 8));
        put8(tcp, 13, tcp_flag::reset);
    } else {
        const std::size_t header = (get8(segment, 12) >> 4) * std::size_t{4};
        const std::size_t control = ((transport.tcp_flags & tcp_flag::syn) != 0) + ((transport.tcp_flags & tcp_flag::fin) != 0);
        put32(tcp, 8, static_cast<std::uint32_t>(get32(segment, 4) + (segment.size() - header) + control));
        put8(tcp, 13, tcp_flag::reset | tcp_flag::ack);
    }
    put16(tcp, 16, transport_checksum(packet.destination, packet.source, protocol::tcp, tcp));
    put_ipv4(out, packet.destination, packet.source, protocol::tcp, tcp_header, identification);
    return ipv4_header + tcp_header;
}

std::size_t build_icmp_error(Bytes out, Address source, const Packet& packet, std::uint8_t type, std::uint8_t code, std::uint16_t identification) {
    if (packet.fragment_offset != 0 || !unicast(packet.source) || !unicast(packet.destination))
        return 0;
    if (packet.protocol == protocol::icmp && (packet.payload.empty() || is_icmp_error(get8(packet.payload, 0))))
        return 0;
    const std::size_t quoted = std::min(packet.ip.size(), most_reply_bytes - ipv4_header - icmp_header);
    const Bytes icmp = out.subspan(ipv4_header, icmp_header + quoted);
    put8(icmp, 0, type);
    put8(icmp, 1, code);
    put16(icmp, 2, 0);
    put32(icmp, 4, 0);
    std::copy_n(packet.ip.begin(), quoted, icmp.begin() + icmp_header);
    put16(icmp, 2, checksum(icmp));
    put_ipv4(out, source, packet.source, protocol::icmp, icmp.size(), identification);
    return ipv4_header + icmp.size();
}

std::size_t build_echo_reply(Bytes out, const Packet& packet, std::uint16_t identification) {
    if (checksum(packet.payload) != 0)
        return 0;
    const Bytes icmp = out.subspan(ipv4_header, packet.payload.size());
    std::copy(packet.payload.begin(), packet.payload.end(), icmp.begin());
    put8(icmp, 0, icmp_type::echo_reply);
    put16(icmp, 2, 0);
    put16(icmp, 2, checksum(icmp));
    put_ipv4(out, packet.destination, packet.source, protocol::icmp, icmp.size(), identification);
    return ipv4_header + icmp.size();
}

std::optional<Quoted> parse_quoted(const Packet& error) {
    if (error.payload.size() < icmp_header + ipv4_header + 8 || checksum(error.payload) != 0)
        return std::nullopt;
    const Bytes ip = error.payload.subspan(icmp_header);
    if (get8(ip, 0) != 0x45 || (get16(ip, 6) & 0x3fff) != 0)
        return std::nullopt;
    Quoted quoted{};
    quoted.packet.ip = ip;
    quoted.packet.payload = ip.subspan(ipv4_header);
    quoted.packet.source = get32(ip, 12);
    quoted.packet.destination = get32(ip, 16);
    quoted.packet.protocol = get8(ip, 9);
    const View payload = quoted.packet.payload;
    switch (quoted.packet.protocol) {
    case protocol::tcp:
    case protocol::udp:
        quoted.source_port = get16(payload, 0);
        quoted.destination_port = get16(payload, 2);
        return quoted;
    case protocol::icmp:
        if (get8(payload, 0) != icmp_type::echo)
            return std::nullopt;
        quoted.source_port = get16(payload, 4);
        return quoted;
    default:
        return std::nullopt;
    }
}

void finish_icmp(const Packet& error) {
    put16(error.payload, 2, 0);
    put16(error.payload, 2, checksum(error.payload));
}

} // namespace netswitch
