// Frames that come from the uplink.
#include "servers/switch/core.hpp"
#include "servers/switch/replies.hpp"

#include <algorithm>

namespace netswitch {

namespace {
constexpr std::uint16_t dhcp_client_port = 68;
constexpr std::uint16_t dhcp_server_port = 67;
constexpr Address everybody = 0xffff'ffff;
constexpr unsigned resets_a_second = 200;
} // namespace

void Core::from_uplink(Bytes frame) {
    ++received_frames_;
    if (frame.size() < ethernet_header || frame.size() > frame_bytes)
        return drop(Drop::malformed);
    const Mac destination = get_mac(frame, 0);
    if ((destination != uplink_mac_ && destination != broadcast_mac) || get_mac(frame, 6) == uplink_mac_)
        return drop(Drop::policy);
    switch (static_cast<EtherType>(get16(frame, 12))) {
    case EtherType::arp:
        return arp_from_uplink(frame);
    case EtherType::ipv4: {
        auto packet = parse_ipv4(frame.subspan(ethernet_header));
        if (!packet)
            return drop(Drop::malformed);
        return ipv4_from_uplink(frame.first(ethernet_header + packet->ip.size()), *packet);
    }
    default:
        return drop(Drop::other_protocol);
    }
}

void Core::arp_from_uplink(View frame) {
    const auto arp = parse_arp(frame);
    if (!arp || arp->sender_mac != get_mac(frame, 6))
        return drop(Drop::malformed);
    const Address own = lease().address;
    // Somebody who claims the node's own address is not believed.
    if (own == 0 || arp->sender == own)
        return drop(Drop::spoofed);
    neighbours_.learn(arp->sender, arp->sender_mac, environment_.now());
    if (!arp->request || arp->target != own)
        return;
    std::array<std::byte, arp_frame_bytes> reply{};
    put_arp(reply, arp->sender_mac, uplink_mac_, {false, uplink_mac_, own, arp->sender_mac, arp->sender});
    send_resolved(reply);
}

void Core::ipv4_from_uplink(Bytes frame, Packet& packet) {
    const Address own = lease().address;
    // Sources that cannot be out there: the sandboxes' network, the node itself, groups, loopback.
    if ((packet.source & inner_mask) == inner_network || (own != 0 && packet.source == own) || packet.source >> 28 >= 0xe || packet.source >> 24 == 127)
        return drop(Drop::spoofed);
    if (packet.fragment())
        return drop(Drop::fragment);
    const auto transport = parse_transport(packet);
    if (!transport)
        return drop(Drop::malformed);
    if (packet.protocol == protocol::udp && transport->destination_port == dhcp_client_port && transport->source_port == dhcp_server_port) {
        const View datagram = View(packet.payload).first(get16(packet.payload, 4));
        if (get16(datagram, 6) != 0 && transport_checksum(packet.source, packet.destination, protocol::udp, datagram) != 0)
            return drop(Drop::malformed);
        return dhcp_.receive(datagram.subspan(8), environment_.now());
    }
    if (own == 0)
        return drop(Drop::no_lease);
    if (packet.destination != own || packet.destination == everybody)
        return drop(Drop::policy);
    if (packet.protocol == protocol::icmp) {
        if (is_icmp_error(transport->icmp_type))
            return icmp_error_from_uplink(frame, packet);
        if (transport->icmp_type == icmp_type::echo)
            return echo_from_uplink(packet);
        if (transport->icmp_type != icmp_type::echo_reply)
            return drop(Drop::other_protocol);
    }
    const bool icmp = packet.protocol == protocol::icmp;
    const std::uint16_t node_port = icmp ? transport->source_port : transport->destination_port;
    const std::uint16_t remote_port = icmp ? 0 : transport->source_port;
    Flow* flow = flows_.find(OutsideKey{packet.protocol, node_port, packet.source, remote_port});
    if (flow == nullptr && !icmp)
        flow = open_published(packet, *transport);
    if (flow == nullptr)
        return refuse_from_uplink(packet, *transport);
    forward_inside(*flow, frame, packet, transport->tcp_flags);
}

// Null where the port is not published, the packet does not begin a flow, or there is no room.
Flow* Core::open_published(const Packet& packet, const Transport& transport) {
    const Published* const entry = published(packet.protocol, transport.destination_port);
    if (entry == nullptr)
        return nullptr;
    if (packet.protocol == protocol::tcp && (transport.tcp_flags & (tcp_flag::syn | tcp_flag::ack | tcp_flag::reset)) != tcp_flag::syn)
        return nullptr;
    const InsideKey key{packet.protocol, ports_[entry->port].address, entry->sandbox_port, packet.source, transport.source_port};
    // The sandbox may talk to that very remote port from its own side already: two flows could not be told apart.
    if (flows_.find(key) != nullptr)
        return nullptr;
    if (!find_room(entry->port, true)) {
        drop(Drop::table_full);
        return nullptr;
    }
    return open(entry->port, key, transport.destination_port, true);
}

void Core::forward_inside(Flow& flow, Bytes frame, Packet& packet, std::uint8_t tcp_flags) {
    if (packet.time_to_live <= 1)
        return drop(Drop::expired);
    touch(flow, false, tcp_flags);
    decrement_time_to_live(packet);
    set_address(packet, Which::destination, flow.inside.inside);
    set_port(packet, Which::destination, flow.inside.inside_port);
    put_ethernet(frame, ports_[flow.port].mac(), gateway_mac, EtherType::ipv4);
    deliver(flow.port, frame);
}

// Nobody is there: TCP clients hear so at once, in limited number.
void Core::refuse_from_uplink(const Packet& packet, const Transport& transport) {
    drop(Drop::no_flow);
    const Time now = environment_.now();
    if (now - reset_window_ >= second) {
        reset_window_ = now;
        resets_ = 0;
    }
    if (packet.protocol != protocol::tcp || resets_++ >= resets_a_second)
        return;
    std::array<std::byte, ethernet_header + most_reply_bytes> buffer;
    const Bytes reply(buffer);
    const std::size_t length = build_reset(reply.subspan(ethernet_header), packet, transport, next_identification_++);
    if (length != 0)
        route_uplink(reply.first(ethernet_header + length), packet.source, answers);
}

void Core::icmp_error_from_uplink(Bytes frame, Packet& packet) {
    auto quoted = parse_quoted(packet);
    if (!quoted)
        return drop(Drop::malformed);
    if (quoted->packet.source != lease().address)
        return drop(Drop::no_flow);
    Flow* const flow = flows_.find(OutsideKey{quoted->packet.protocol, quoted->source_port, quoted->packet.destination, quoted->destination_port});
    if (flow == nullptr || packet.time_to_live <= 1)
        return drop(Drop::no_flow);
    // The flow's life is not longer for it: anybody can send errors.
    set_address(quoted->packet, Which::source, flow->inside.inside);
    set_port(quoted->packet, Which::source, flow->inside.inside_port);
    finish_icmp(packet);
    decrement_time_to_live(packet);
    set_address(packet, Which::destination, flow->inside.inside);
    put_ethernet(frame, ports_[flow->port].mac(), gateway_mac, EtherType::ipv4);
    deliver(flow->port, frame);
}

void Core::echo_from_uplink(const Packet& packet) {
    std::array<std::byte, frame_bytes> buffer;
    const Bytes reply(buffer);
    const std::size_t length = build_echo_reply(reply.subspan(ethernet_header), packet, next_identification_++);
    if (length == 0)
        return drop(Drop::malformed);
    route_uplink(reply.first(ethernet_header + length), packet.source, answers);
}

} // namespace netswitch
