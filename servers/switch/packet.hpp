// Reading and writing Ethernet, ARP, IPv4, TCP, UDP and ICMP headers in place. Every length is checked here, once, before anybody looks at a field.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace netswitch {

using Bytes = std::span<std::byte>;
using View = std::span<const std::byte>;
using Address = std::uint32_t; // IPv4, 10.0.2.2 is 0x0a000202
using Mac = std::uint64_t;     // 48 bits, the first byte on the wire is the highest
using Time = std::uint64_t;    // monotonic nanoseconds

inline constexpr Time second = 1'000'000'000;
inline constexpr Time never = UINT64_MAX;
inline constexpr Mac broadcast_mac = 0xffff'ffff'ffff;
inline constexpr std::size_t ethernet_header = 14;
inline constexpr std::size_t ipv4_header = 20;
inline constexpr std::size_t mtu = 1500;
inline constexpr std::size_t frame_bytes = ethernet_header + mtu;

enum class EtherType : std::uint16_t { ipv4 = 0x0800, arp = 0x0806 };
namespace protocol {
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
} // namespace protocol

constexpr Address make_address(unsigned a, unsigned b, unsigned c, unsigned d) { return a << 24 | b << 16 | c << 8 | d; }

// Network byte order. The caller has checked the range; spans trap on a mistake.
inline std::uint8_t get8(View bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
inline std::uint16_t get16(View bytes, std::size_t at) { return static_cast<std::uint16_t>(get8(bytes, at) << 8 | get8(bytes, at + 1)); }
inline std::uint32_t get32(View bytes, std::size_t at) { return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2); }
inline Mac get_mac(View bytes, std::size_t at) { return static_cast<Mac>(get16(bytes, at)) << 32 | get32(bytes, at + 2); }
inline void put8(Bytes bytes, std::size_t at, std::uint8_t value) { bytes[at] = static_cast<std::byte>(value); }
inline void put16(Bytes bytes, std::size_t at, std::uint16_t value) {
    put8(bytes, at, static_cast<std::uint8_t>(value >> 8));
    put8(bytes, at + 1, static_cast<std::uint8_t>(value));
}
inline void put32(Bytes bytes, std::size_t at, std::uint32_t value) {
    put16(bytes, at, static_cast<std::uint16_t>(value >> 16));
    put16(bytes, at + 2, static_cast<std::uint16_t>(value));
}
inline void put_mac(Bytes bytes, std::size_t at, Mac value) {
    put16(bytes, at, static_cast<std::uint16_t>(value >> 32));
    put32(bytes, at + 2, static_cast<std::uint32_t>(value));
}
inline void put_ethernet(Bytes frame, Mac destination, Mac source, EtherType type) {
    put_mac(frame, 0, destination);
    put_mac(frame, 6, source);
    put16(frame, 12, static_cast<std::uint16_t>(type));
}

// --- checksums (RFC 1071, RFC 1624)
// One's complement sum, not folded; `bytes` of an even offset in the whole.
std::uint64_t sum_bytes(View bytes, std::uint64_t sum = 0);
std::uint16_t fold(std::uint64_t sum); // the complement of the folded sum: what goes into a header
inline std::uint16_t checksum(View bytes) { return fold(sum_bytes(bytes)); }
// Checksum field at `at` after a 16-bit or 32-bit word that it covers went from `before` to `after`.
void adjust16(Bytes bytes, std::size_t at, std::uint16_t before, std::uint16_t after);
void adjust32(Bytes bytes, std::size_t at, std::uint32_t before, std::uint32_t after);
// TCP or UDP checksum over the pseudo header and `segment`, whose checksum field is taken as it is (0 to compute, right to verify as 0).
std::uint16_t transport_checksum(Address source, Address destination, std::uint8_t protocol, View segment);

// --- IPv4
struct Packet {
    Bytes ip;      // header and payload; what the frame had behind the total length is left out
    Bytes payload;
    Address source;
    Address destination;
    std::uint8_t protocol;
    std::uint8_t time_to_live;
    bool more_fragments;
    std::uint16_t fragment_offset; // in 8 bytes

    bool fragment() const { return more_fragments || fragment_offset != 0; }
};
// Nothing where the header is short, has options (no path needs them, source routes are an attack), lies about its lengths or has a bad checksum.
std::optional<Packet> parse_ipv4(Bytes bytes);

// Replaces an address in the header; header checksum and the TCP or UDP checksum of `packet` (not of a later fragment) follow.
enum class Which { source, destination };
void set_address(Packet& packet, Which which, Address address);
// Replaces a TCP or UDP port, or the identifier of an ICMP echo; the checksum follows.
void set_port(Packet& packet, Which which, std::uint16_t port);
void decrement_time_to_live(Packet& packet);
// Writes a header without options, checksum included. `length` is that of the payload.
void put_ipv4(Bytes ip, Address source, Address destination, std::uint8_t protocol, std::size_t length, std::uint16_t identification);

// --- what rides on it
namespace tcp_flag {
inline constexpr std::uint8_t fin = 1, syn = 2, reset = 4, ack = 16;
}
namespace icmp_type {
inline constexpr std::uint8_t echo_reply = 0, unreachable = 3, echo = 8, time_exceeded = 11, parameter_problem = 12;
}
struct Transport {
    std::uint16_t source_port;      // or the identifier of an ICMP echo
    std::uint16_t destination_port; // 0 for ICMP
    std::uint8_t tcp_flags;
    std::uint8_t icmp_type;
};
// Nothing where the headers do not fit, or the protocol is none of TCP, UDP and ICMP.
std::optional<Transport> parse_transport(const Packet& packet);

// --- ARP (RFC 826) for Ethernet and IPv4
struct Arp {
    bool request;
    Mac sender_mac;
    Address sender;
    Mac target_mac;
    Address target;
};
inline constexpr std::size_t arp_frame_bytes = ethernet_header + 28;
std::optional<Arp> parse_arp(View frame);
void put_arp(Bytes frame, Mac destination, Mac source, const Arp& arp);

} // namespace netswitch
