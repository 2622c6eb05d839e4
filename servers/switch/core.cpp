#include "servers/switch/core.hpp"

#include <algorithm>

namespace netswitch {

namespace {
// A flow may stay so much longer than its time: those that end one after the other go together, and an idle node is woken for them once.
constexpr Time expiry_slack = 60 * second;
constexpr Time reclaim_interval = second / 4;
// How long a flow that nobody has confirmed is waited for where there is no room, and where that is not enough. A SYN comes again after 1, 2 and 4 seconds.
constexpr Time patience[] = {5 * second, second};
constexpr unsigned most_outgoing_of_a_port = 1024;
constexpr Address everybody = 0xffff'ffff;
constexpr std::uint16_t dhcp_client_port = 68;
constexpr std::uint16_t dhcp_server_port = 67;
} // namespace

base::Result<void> Core::prepare(std::uint16_t most_flows) {
    const std::uint64_t seed = static_cast<std::uint64_t>(environment_.random()) << 32 | environment_.random();
    return flows_.prepare(most_flows, seed);
}

void Core::uplink_up(Mac mac) {
    uplink_mac_ = mac;
    neighbours_.clear();
    dhcp_.start(mac, environment_.now());
}

void Core::drop(Drop reason, std::uint16_t port) {
    ++drops_[static_cast<std::size_t>(reason)];
    if (port != nobody)
        ++ports_[port].counters.dropped_frames;
}

// --- ports

base::Result<std::uint16_t> Core::create_port(std::uint32_t flows) {
    // Management is not a peer of sandboxes.
    if ((flows & ~flow_right::all) != 0 || (flows & (flow_right::peers | flow_right::management)) == (flow_right::peers | flow_right::management))
        return base::fail(base::Error::bad_argument);
    const auto free = std::find_if(ports_.begin(), ports_.end(), [](const Port& port) { return port.identity == 0; });
    if (free == ports_.end())
        return base::fail(base::Error::no_slots);
    // Upwards and round: an address is used again only after all others, since remote hosts and caches may still mean its last owner.
    Address address = last_address_;
    do {
        address = inner_network | ((address + 1) & ~inner_mask);
    } while (address <= gateway_address || (address | inner_mask) == everybody || index_of(address) != nobody);
    last_address_ = address;
    *free = {};
    free->identity = ++last_identity_;
    free->flows = flows;
    free->address = address;
    return static_cast<std::uint16_t>(free - ports_.begin());
}

base::Result<std::uint16_t> Core::find_port(std::uint64_t identity) const {
    for (std::size_t i = 0; i < ports_.size(); ++i)
        if (identity != 0 && ports_[i].identity == identity)
            return static_cast<std::uint16_t>(i);
    return base::fail(base::Error::not_found);
}

base::Result<void> Core::destroy_port(std::uint64_t identity) {
    const std::uint16_t index = TRY(find_port(identity));
    flows_.erase_port(index);
    for (std::size_t i = published_.size(); i-- > 0;)
        if (published_[i].port == index)
            published_.erase(i);
    ports_[index] = {};
    return {};
}

base::Result<void> Core::publish(std::uint64_t identity, std::uint32_t protocol, std::uint32_t node_port, std::uint32_t sandbox_port) {
    const std::uint16_t index = TRY(find_port(identity));
    const bool port_numbers = node_port >= 1 && node_port <= 65535 && sandbox_port >= 1 && sandbox_port <= 65535;
    // Port 68 is the DHCP client's own.
    if ((protocol != protocol::tcp && protocol != protocol::udp) || !port_numbers || (protocol == protocol::udp && node_port == dhcp_client_port))
        return base::fail(base::Error::bad_argument);
    if (published(static_cast<std::uint8_t>(protocol), static_cast<std::uint16_t>(node_port)) != nullptr)
        return base::fail(base::Error::exists);
    if (published_.size() >= most_published)
        return base::fail(base::Error::no_slots);
    TRY(published_.push_back({static_cast<std::uint8_t>(protocol), static_cast<std::uint16_t>(node_port), static_cast<std::uint16_t>(sandbox_port), index}));
    flows_.erase_node_port(static_cast<std::uint8_t>(protocol), static_cast<std::uint16_t>(node_port), index);
    return {};
}

const Core::Published* Core::published(std::uint8_t protocol, std::uint16_t node_port) const {
    for (const Published& entry : published_)
        if (entry.protocol == protocol && entry.node_port == node_port)
            return &entry;
    return nullptr;
}

std::uint16_t Core::index_of(Address address) const {
    for (std::size_t i = 0; i < ports_.size(); ++i)
        if (ports_[i].identity != 0 && ports_[i].address == address)
            return static_cast<std::uint16_t>(i);
    return nobody;
}

// --- shares of the flow table
// Of a table of 16, sandboxes have 14 at most: 10 for what they open, 8 for what is opened to them. The rest is kept for the node's management.

unsigned Core::most_of_port(std::uint16_t index, bool published) const {
    const unsigned part = flows_.capacity() / 4;
    return published || ports_[index].may(flow_right::management) ? part : std::min(part, most_outgoing_of_a_port);
}

unsigned Core::free_flows(std::uint16_t index, bool published) const {
    const unsigned capacity = flows_.capacity(), size = flows_.size();
    if (ports_[index].may(flow_right::management))
        return capacity - size;
    const unsigned most = capacity - capacity / 8, kind = published ? capacity / 2 : capacity / 8 * 5;
    return std::min(most - std::min(most, size), kind - flows_.shared(published));
}

// No sandbox has more than are free: however many of them take what they can, there is as much for one that comes later.
bool Core::may_open(std::uint16_t index, bool published) const {
    const unsigned own = flows_.count(index, published), free = free_flows(index, published);
    return own < most_of_port(index, published) && (ports_[index].may(flow_right::management) ? free > 0 : own < free);
}

bool Core::find_room(std::uint16_t index, bool published) {
    if (may_open(index, published))
        return true;
    Port& port = ports_[index];
    const Time now = environment_.now();
    if (now < port.reclaim_again)
        return false; // the whole table is looked through: not for every packet of a flood
    port.reclaim_again = now + reclaim_interval;
    (void)flows_.expire(now);
    if (may_open(index, published))
        return true;
    // Who has much gives up its own. Only where there is nothing at all do others, and management for management alone.
    const bool management = port.may(flow_right::management);
    const bool others = free_flows(index, published) == 0 && flows_.count(index, published) < most_of_port(index, published);
    for (const Time wait : patience) {
        flows_.reclaim(now, wait, [&](const Flow& flow) { return flow.port == index || (others && (management || !flow.management)); });
        if (may_open(index, published))
            return true;
    }
    return false;
}

Flow* Core::open(std::uint16_t index, const InsideKey& key, std::uint16_t node_port, bool published) {
    Flow* const flow = flows_.insert(key, {.node_port = node_port, .port = index, .published = published, .management = ports_[index].may(flow_right::management)}, environment_.now());
    if (flow != nullptr)
        note_expiry(*flow);
    return flow;
}

void Core::touch(Flow& flow, bool from_inside, std::uint8_t tcp_flags) {
    flows_.touch(flow, from_inside, tcp_flags, environment_.now());
    note_expiry(flow);
}

void Core::note_expiry(const Flow& flow) { next_expiry_ = std::min(next_expiry_, flow.expires + expiry_slack); }

// --- what leaves

void Core::deliver(std::uint16_t index, Bytes frame) {
    if (!environment_.send_port(index, frame))
        return drop(Drop::no_room, index);
    ports_[index].counters.received_bytes += frame.size();
}

void Core::send_resolved(Bytes frame) {
    if (!environment_.send_uplink(frame))
        return drop(Drop::no_room);
    ++sent_frames_;
}

void Core::neighbour_unreachable(Bytes) { drop(Drop::unreachable); }

void Core::send_arp_request(Address target) {
    std::array<std::byte, arp_frame_bytes> frame{};
    put_arp(frame, broadcast_mac, uplink_mac_, {true, uplink_mac_, lease().address, 0, target});
    send_resolved(frame);
}

void Core::route_uplink(Bytes frame, Address destination, Neighbours::Sender sender) {
    const Lease& now = lease();
    const bool on_link = (destination & now.mask) == (now.address & now.mask);
    const Address next_hop = on_link ? destination : now.router;
    if (next_hop == 0)
        return drop(Drop::unreachable);
    put_ethernet(frame, 0, uplink_mac_, EtherType::ipv4);
    if (!neighbours_.send(next_hop, frame, sender, environment_.now()))
        drop(Drop::no_room, sender.number < most_ports ? sender.number : nobody);
}

void Core::send_dhcp(Address source, Address destination, View payload) {
    std::array<std::byte, frame_bytes> buffer{};
    const std::size_t datagram = 8 + payload.size();
    const Bytes frame = Bytes(buffer).first(ethernet_header + ipv4_header + datagram);
    const Bytes ip = frame.subspan(ethernet_header);
    put_ipv4(ip, source, destination, protocol::udp, datagram, next_identification_++);
    const Bytes udp = ip.subspan(ipv4_header);
    put16(udp, 0, dhcp_client_port);
    put16(udp, 2, dhcp_server_port);
    put16(udp, 4, static_cast<std::uint16_t>(datagram));
    std::copy(payload.begin(), payload.end(), udp.begin() + 8);
    const std::uint16_t sum = transport_checksum(source, destination, protocol::udp, udp);
    put16(udp, 6, sum == 0 ? 0xffff : sum);
    if (destination != everybody)
        return route_uplink(frame, destination, dhcp);
    put_ethernet(frame, broadcast_mac, uplink_mac_, EtherType::ipv4);
    send_resolved(frame);
}

void Core::lease_changed(const Lease& lease) {
    if (lease.address != known_address_) {
        // Flows belong to the address that they were translated to.
        flows_.clear();
        neighbours_.clear();
        known_address_ = lease.address;
    }
    neighbours_.set_router(lease.router);
    environment_.lease_changed(lease);
}

// --- time

void Core::run() {
    const Time now = environment_.now();
    dhcp_.run(now);
    neighbours_.run(now);
    if (now < next_expiry_)
        return;
    const Time next = flows_.expire(now);
    next_expiry_ = next == never ? never : next + expiry_slack;
}

Time Core::deadline() const { return std::min({dhcp_.deadline(), neighbours_.deadline(), next_expiry_}); }

} // namespace netswitch
