// Frames that sandboxes send.
#include "servers/switch/core.hpp"
#include "servers/switch/replies.hpp"

#include <algorithm>

#include "lib/base/weaken.hpp"

namespace netswitch {

namespace {

constexpr std::uint16_t name_port = 53;
constexpr std::uint16_t first_dynamic_port = 32768;
constexpr std::uint16_t last_dynamic_port = 60999;
constexpr std::uint16_t first_free_port = 1024;
constexpr unsigned port_attempts = 256;
constexpr unsigned answers_a_second = 50;
constexpr std::uint8_t administratively_prohibited = 13;

} // namespace

void Core::from_port(std::uint16_t index, Bytes frame) {
    Port& port = ports_[index];
    port.counters.sent_bytes += frame.size();
    if (frame.size() < ethernet_header || frame.size() > frame_bytes)
        return drop(Drop::malformed, index);
    if (get_mac(frame, 6) != port.mac())
        return drop(Drop::spoofed, index);
    switch (static_cast<EtherType>(get16(frame, 12))) {
    case EtherType::arp:
        return arp_from_port(index, frame);
    case EtherType::ipv4: {
        auto packet = parse_ipv4(frame.subspan(ethernet_header));
        if (!packet)
            return drop(Drop::malformed, index);
        if (packet->source != port.address)
            return drop(Drop::spoofed, index);
        return ipv4_from_port(index, frame.first(ethernet_header + packet->ip.size()), *packet);
    }
    default:
        return drop(Drop::other_protocol, index);
    }
}

void Core::arp_from_port(std::uint16_t index, View frame) {
    const Port& port = ports_[index];
    const auto arp = parse_arp(frame);
    if (!arp)
        return drop(Drop::malformed, index);
    // A probe (RFC 5227) has no sender address yet.
    if (arp->sender_mac != port.mac() || (arp->sender != port.address && arp->sender != 0))
        return drop(Drop::spoofed, index);
    if (!arp->request || arp->target == port.address || (arp->target & inner_mask) != inner_network)
        return;
    const std::uint16_t peer = index_of(arp->target);
    const bool direct = peer != nobody && port.may(flow_right::peers) && ports_[peer].may(flow_right::peers);
    if (arp->sender == 0 && !direct && arp->target != gateway_address)
        return;
    // For what may not be reached the gateway answers, so that the sandbox gets its refusal at once, and so that nobody learns which addresses are in use.
    const Mac mac = direct ? ports_[peer].mac() : gateway_mac;
    std::array<std::byte, arp_frame_bytes> reply{};
    put_arp(reply, port.mac(), gateway_mac, {false, mac, arp->target, port.mac(), arp->sender});
    deliver(index, reply);
}

void Core::ipv4_from_port(std::uint16_t index, Bytes frame, Packet& packet) {
    if (packet.destination == gateway_address)
        return to_gateway(index, packet);
    if ((packet.destination & inner_mask) == inner_network)
        return to_peer(index, frame, packet);
    if (packet.fragment())
        return drop(Drop::fragment, index);
    const auto transport = parse_transport(packet);
    if (!transport)
        return drop(packet.protocol == protocol::tcp || packet.protocol == protocol::udp ? Drop::malformed : Drop::other_protocol, index);
    if (packet.protocol == protocol::icmp && is_icmp_error(transport->icmp_type))
        return icmp_error_from_port(index, frame, packet);
    to_uplink(index, frame, packet, *transport);
}

void Core::to_gateway(std::uint16_t index, const Packet& packet) {
    const auto transport = packet.fragment() ? std::nullopt : parse_transport(packet);
    if (!transport)
        return drop(packet.fragment() ? Drop::fragment : Drop::malformed, index);
    if (packet.protocol != protocol::icmp)
        return reject(index, packet, *transport);
    if (transport->icmp_type != icmp_type::echo)
        return drop(Drop::policy, index);
    std::array<std::byte, frame_bytes> buffer;
    const Bytes reply(buffer);
    const std::size_t length = build_echo_reply(reply.subspan(ethernet_header), packet, next_identification_++);
    if (length == 0)
        return drop(Drop::malformed, index);
    put_ethernet(reply, ports_[index].mac(), gateway_mac, EtherType::ipv4);
    deliver(index, reply.first(ethernet_header + length));
}

void Core::to_peer(std::uint16_t index, Bytes frame, const Packet& packet) {
    const std::uint16_t peer = index_of(packet.destination);
    const bool both_peers = peer != nobody && ports_[index].may(flow_right::peers) && ports_[peer].may(flow_right::peers);
    const bool allowed = peer != nobody && peer != index && (both_peers || base::weakened(base::Weakness::system_sandbox));
    if (!allowed) {
        const auto transport = packet.fragment() ? std::nullopt : parse_transport(packet);
        return transport ? reject(index, packet, *transport) : drop(Drop::policy, index);
    }
    put_mac(frame, 0, ports_[peer].mac());
    deliver(peer, frame);
}

bool Core::allowed_destination(const Packet& packet, const Transport& transport) const {
    const Address address = packet.destination;
    const Lease& now = lease();
    // The node's own addresses, this network and loopback, link-local (where clouds keep credentials), groups and broadcasts.
    if (address == now.address || address >> 24 == 0 || address >> 24 == 127 || address >> 16 == 0xa9fe || address >> 28 >= 0xe)
        return false;
    if ((address & now.mask) == (now.address & now.mask) && ((address & ~now.mask) == ~now.mask) && now.mask < 0xffff'fffe)
        return false;
    // The uplink's own servers may stand for the host's loopback, where the node's API is forwarded (with QEMU's user network the gateway does, and the name server where
    // the host's resolver listens there): only names may be asked for there.
    const bool names_alone = !base::weakened(base::Weakness::uplink_gateway);
    if (names_alone && (address == now.router || address == now.server || address == now.name_server))
        return address == now.name_server && packet.protocol != protocol::icmp && transport.destination_port == name_port;
    return true;
}

void Core::to_uplink(std::uint16_t index, Bytes frame, Packet& packet, const Transport& transport) {
    if (lease().address == 0)
        return drop(Drop::no_lease, index);
    if (packet.time_to_live <= 1) {
        drop(Drop::expired, index);
        return send_icmp_error(index, packet, icmp_type::time_exceeded, 0);
    }
    const InsideKey key{packet.protocol, packet.source, transport.source_port, packet.destination, transport.destination_port};
    const bool echo_answer = packet.protocol == protocol::icmp && transport.icmp_type != icmp_type::echo;
    Flow* flow = echo_answer ? nullptr : flows_.find(key);
    if (flow == nullptr) {
        if (echo_answer || !ports_[index].may(flow_right::uplink) || !allowed_destination(packet, transport))
            return reject(index, packet, transport);
        if (packet.protocol == protocol::tcp && (transport.tcp_flags & (tcp_flag::syn | tcp_flag::ack | tcp_flag::reset)) != tcp_flag::syn)
            return drop(Drop::no_flow, index);
        flow = open_outgoing(index, key);
        if (flow == nullptr)
            return drop(Drop::table_full, index);
    }
    touch(*flow, true, transport.tcp_flags);
    decrement_time_to_live(packet);
    set_address(packet, Which::source, lease().address);
    set_port(packet, Which::source, flow->node_port);
    route_uplink(frame, packet.destination, sender(index));
}

// The sandbox' own port where it can be kept (some protocols like it so), else one of the dynamic range. 0: none is free.
std::uint16_t Core::choose_node_port(const InsideKey& key) {
    const auto free = [&](std::uint16_t port) {
        return published(key.protocol, port) == nullptr && flows_.find(OutsideKey{key.protocol, port, key.remote, key.remote_port}) == nullptr;
    };
    if (key.inside_port >= first_free_port && free(key.inside_port))
        return key.inside_port;
    constexpr std::uint32_t range = last_dynamic_port - first_dynamic_port + 1;
    const std::uint32_t start = environment_.random() % range;
    for (std::uint32_t i = 0; i < port_attempts; ++i) {
        const auto port = static_cast<std::uint16_t>(first_dynamic_port + (start + i) % range);
        if (free(port))
            return port;
    }
    return 0;
}

Flow* Core::open_outgoing(std::uint16_t index, const InsideKey& key) {
    if (!find_room(index, false))
        return nullptr;
    const std::uint16_t node_port = choose_node_port(key);
    return node_port == 0 ? nullptr : open(index, key, node_port, false);
}

// An error about a packet that came to the sandbox in a flow: what it quotes is translated back.
void Core::icmp_error_from_port(std::uint16_t index, Bytes frame, Packet& packet) {
    auto quoted = parse_quoted(packet);
    if (!quoted || quoted->packet.protocol == protocol::icmp)
        return drop(Drop::malformed, index);
    const InsideKey key{quoted->packet.protocol, quoted->packet.destination, quoted->destination_port, quoted->packet.source, quoted->source_port};
    Flow* const flow = key.inside == ports_[index].address ? flows_.find(key) : nullptr;
    if (flow == nullptr || packet.destination != flow->inside.remote || packet.time_to_live <= 1)
        return drop(Drop::no_flow, index);
    set_address(quoted->packet, Which::destination, lease().address);
    set_port(quoted->packet, Which::destination, flow->node_port);
    finish_icmp(packet);
    decrement_time_to_live(packet);
    set_address(packet, Which::source, lease().address);
    route_uplink(frame, packet.destination, sender(index));
}

bool Core::may_answer(std::uint16_t index) {
    Port& port = ports_[index];
    const Time now = environment_.now();
    if (now - port.answer_window >= second) {
        port.answer_window = now;
        port.answers = 0;
    }
    return port.answers++ < answers_a_second;
}

void Core::reject(std::uint16_t index, const Packet& packet, const Transport& transport) {
    drop(Drop::policy, index);
    if (packet.protocol != protocol::tcp)
        return send_icmp_error(index, packet, icmp_type::unreachable, administratively_prohibited);
    if (!may_answer(index))
        return;
    std::array<std::byte, ethernet_header + most_reply_bytes> buffer;
    const Bytes reply(buffer);
    const std::size_t length = build_reset(reply.subspan(ethernet_header), packet, transport, next_identification_++);
    if (length == 0)
        return;
    put_ethernet(reply, ports_[index].mac(), gateway_mac, EtherType::ipv4);
    deliver(index, reply.first(ethernet_header + length));
}

void Core::send_icmp_error(std::uint16_t index, const Packet& packet, std::uint8_t type, std::uint8_t code) {
    if (!may_answer(index))
        return;
    std::array<std::byte, ethernet_header + most_reply_bytes> buffer;
    const Bytes reply(buffer);
    const std::size_t length = build_icmp_error(reply.subspan(ethernet_header), gateway_address, packet, type, code, next_identification_++);
    if (length == 0)
        return;
    put_ethernet(reply, ports_[index].mac(), gateway_mac, EtherType::ipv4);
    deliver(index, reply.first(ethernet_header + length));
}

} // namespace netswitch
