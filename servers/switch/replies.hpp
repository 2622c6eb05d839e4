// Packets that the switch itself answers with. Each function writes an IPv4 packet into `out` and returns its length; 0 where no answer is due.
#pragma once
#include "servers/switch/packet.hpp"

namespace netswitch {

inline constexpr std::size_t most_reply_bytes = 576;

// RFC 9293, 3.5.2: a reset that the sender of `packet` accepts, as if its destination had sent it. None for a reset.
std::size_t build_reset(Bytes out, const Packet& packet, const Transport& transport, std::uint16_t identification);
// RFC 792, RFC 1122: an error about `packet`. None about ICMP errors, later fragments, and group addresses.
std::size_t build_icmp_error(Bytes out, Address source, const Packet& packet, std::uint8_t type, std::uint8_t code, std::uint16_t identification);
// The answer to an ICMP echo. None where its checksum is wrong. `out` holds the MTU.
std::size_t build_echo_reply(Bytes out, const Packet& packet, std::uint16_t identification);

// The packet that an ICMP error quotes: header and at least 8 bytes behind it. Its payload may be cut; lengths and the header's checksum are not relied on.
struct Quoted {
    Packet packet;
    std::uint16_t source_port;
    std::uint16_t destination_port;
};
// Nothing where it is too short, a fragment, has options, or is no TCP, UDP or ICMP echo; nothing where the error's own checksum is wrong.
std::optional<Quoted> parse_quoted(const Packet& error);
constexpr bool is_icmp_error(std::uint8_t type) {
    return type == icmp_type::unreachable || type == icmp_type::time_exceeded || type == icmp_type::parameter_problem;
}
// After the quoted packet was changed.
void finish_icmp(const Packet& error);

} // namespace netswitch
