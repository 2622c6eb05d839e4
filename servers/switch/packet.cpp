#include "servers/switch/packet.hpp"

namespace netswitch {

namespace {

constexpr std::size_t ip_checksum_at = 10;
constexpr std::size_t icmp_checksum_at = 2;

// Where the checksum lies in the transport header; nothing where there is none to keep.
std::optional<std::size_t> checksum_at(const Packet& packet) {
    if (packet.fragment_offset != 0)
        return std::nullopt;
    if (packet.protocol == protocol::tcp && packet.payload.size() >= 18)
        return 16;
    // A UDP checksum of 0 says that there is none.
    if (packet.protocol == protocol::udp && packet.payload.size() >= 8 && get16(packet.payload, 6) != 0)
        return 6;
    return std::nullopt;
}

void keep_udp_nonzero(Packet& packet, std::size_t at) {
    if (packet.protocol == protocol::udp && get16(packet.payload, at) == 0)
        put16(packet.payload, at, 0xffff);
}

} // namespace

std::uint64_t sum_bytes(View bytes, std::uint64_t sum) {
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + at, 8);
        word = __builtin_bswap64(word);
        sum += (word >> 32) + (word & 0xffff'ffff);
    }
    for (; at + 2 <= bytes.size(); at += 2)
        sum += get16(bytes, at);
    if (at < bytes.size())
        sum += static_cast<std::uint64_t>(get8(bytes, at)) << 8;
    return sum;
}

std::uint16_t fold(std::uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

void adjust16(Bytes bytes, std::size_t at, std::uint16_t before, std::uint16_t after) {
    const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~get16(bytes, at))} + static_cast<std::uint16_t>(~before) + after;
    put16(bytes, at, fold(sum));
}

void adjust32(Bytes bytes, std::size_t at, std::uint32_t before, std::uint32_t after) {
    adjust16(bytes, at, static_cast<std::uint16_t>(before >> 16), static_cast<std::uint16_t>(after >> 16));
    adjust16(bytes, at, static_cast<std::uint16_t>(before), static_cast<std::uint16_t>(after));
}

std::uint16_t transport_checksum(Address source, Address destination, std::uint8_t protocol, View segment) {
    const std::uint64_t pseudo = (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) + protocol + segment.size();
    return fold(sum_bytes(segment, pseudo));
}

std::optional<Packet> parse_ipv4(Bytes bytes) {
    if (bytes.size() < ipv4_header || get8(bytes, 0) != 0x45)
        return std::nullopt;
    const std::size_t total = get16(bytes, 2);
    if (total < ipv4_header || total > bytes.size() || checksum(bytes.first(ipv4_header)) != 0)
        return std::nullopt;
    const std::uint16_t fragment = get16(bytes, 6);
    Packet packet{};
    packet.ip = bytes.first(total);
    packet.payload = packet.ip.subspan(ipv4_header);
    packet.source = get32(bytes, 12);
    packet.destination = get32(bytes, 16);
    packet.protocol = get8(bytes, 9);
    packet.time_to_live = get8(bytes, 8);
    packet.more_fragments = (fragment & 0x2000) != 0;
    packet.fragment_offset = fragment & 0x1fff;
    return packet;
}

void set_address(Packet& packet, Which which, Address address) {
    const std::size_t at = which == Which::source ? 12 : 16;
    const Address before = get32(packet.ip, at);
    put32(packet.ip, at, address);
    (which == Which::source ? packet.source : packet.destination) = address;
    adjust32(packet.ip, ip_checksum_at, before, address);
    if (const auto sum = checksum_at(packet)) {
        adjust32(packet.payload, *sum, before, address);
        keep_udp_nonzero(packet, *sum);
    }
}

void set_port(Packet& packet, Which which, std::uint16_t port) {
    if (packet.protocol == protocol::icmp) {
        const std::uint16_t before = get16(packet.payload, 4);
        put16(packet.payload, 4, port);
        adjust16(packet.payload, icmp_checksum_at, before, port);
        return;
    }
    const std::size_t at = which == Which::source ? 0 : 2;
    const std::uint16_t before = get16(packet.payload, at);
    put16(packet.payload, at, port);
    if (const auto sum = checksum_at(packet)) {
        adjust16(packet.payload, *sum, before, port);
        keep_udp_nonzero(packet, *sum);
    }
}

void decrement_time_to_live(Packet& packet) {
    const std::uint16_t before = get16(packet.ip, 8);
    put8(packet.ip, 8, --packet.time_to_live);
    adjust16(packet.ip, ip_checksum_at, before, get16(packet.ip, 8));
}

void put_ipv4(Bytes ip, Address source, Address destination, std::uint8_t protocol, std::size_t length, std::uint16_t identification) {
    put16(ip, 0, 0x4500);
    put16(ip, 2, static_cast<std::uint16_t>(ipv4_header + length));
    put16(ip, 4, identification);
    put16(ip, 6, 0);
    put8(ip, 8, 64);
    put8(ip, 9, protocol);
    put16(ip, ip_checksum_at, 0);
    put32(ip, 12, source);
    put32(ip, 16, destination);
    put16(ip, ip_checksum_at, checksum(ip.first(ipv4_header)));
}

std::optional<Transport> parse_transport(const Packet& packet) {
    const View payload = packet.payload;
    Transport transport{};
    switch (packet.protocol) {
    case protocol::tcp: {
        if (payload.size() < 20)
            return std::nullopt;
        const std::size_t header = (get8(payload, 12) >> 4) * std::size_t{4};
        if (header < 20 || header > payload.size())
            return std::nullopt;
        transport.tcp_flags = get8(payload, 13);
        break;
    }
    case protocol::udp:
        if (payload.size() < 8 || get16(payload, 4) < 8 || (!packet.more_fragments && get16(payload, 4) > payload.size()))
            return std::nullopt;
        break;
    case protocol::icmp:
        if (payload.size() < 8)
            return std::nullopt;
        transport.icmp_type = get8(payload, 0);
        transport.source_port = get16(payload, 4);
        return transport;
    default:
        return std::nullopt;
    }
    transport.source_port = get16(payload, 0);
    transport.destination_port = get16(payload, 2);
    return transport;
}

std::optional<Arp> parse_arp(View frame) {
    if (frame.size() < arp_frame_bytes)
        return std::nullopt;
    const View arp = frame.subspan(ethernet_header);
    // Ethernet, IPv4, lengths 6 and 4, request or reply.
    if (get32(arp, 0) != 0x0001'0800 || get16(arp, 4) != 0x0604 || get16(arp, 6) < 1 || get16(arp, 6) > 2)
        return std::nullopt;
    return Arp{get16(arp, 6) == 1, get_mac(arp, 8), get32(arp, 14), get_mac(arp, 18), get32(arp, 24)};
}

void put_arp(Bytes frame, Mac destination, Mac source, const Arp& arp) {
    put_ethernet(frame, destination, source, EtherType::arp);
    const Bytes body = frame.subspan(ethernet_header);
    put32(body, 0, 0x0001'0800);
    put16(body, 4, 0x0604);
    put16(body, 6, arp.request ? 1 : 2);
    put_mac(body, 8, arp.sender_mac);
    put32(body, 14, arp.sender);
    put_mac(body, 18, arp.target_mac);
    put32(body, 24, arp.target);
}

} // namespace netswitch
