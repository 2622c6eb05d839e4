#include "servers/switch/server.hpp"

#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "servers/switch/wire.hpp"

#include <algorithm>

namespace netswitch {

namespace {

constexpr std::uint64_t ring_bytes = 256 * 1024;
constexpr std::uint64_t room_for_frame = 2048; // a frame and its record header, generously
constexpr unsigned uplink_burst = 64;
// Sandboxes can send for as long as they are served: after so many rounds it is runtime's turn, and the timers'.
constexpr unsigned rounds_at_once = 32;
// Keys of the port.
constexpr std::uint64_t endpoint_key = 1, uplink_bell_key = 2, attach_key = 3, first_link_key = 16;

// An address as text.
struct Dotted {
    Address address;
};
base::Formatter& operator<<(base::Formatter& to, Dotted dotted) {
    return to << (dotted.address >> 24) << '.' << (dotted.address >> 16 & 255) << '.' << (dotted.address >> 8 & 255) << '.' << (dotted.address & 255);
}

} // namespace

base::Result<void> Server::prepare(abi::Handle endpoint, abi::Handle netdev, abi::Handle entropy) {
    random_.seed(entropy);
    TRY(core_.prepare());
    endpoint_ = endpoint;
    port_ = TRY(native::Port::create());
    TRY(port_.bind(endpoint, endpoint_key));
    TRY(uplink_.prepare(netdev));
    TRY(port_.bind(uplink_.bell(), attach_key));
    return uplink_.attach();
}

void Server::run() {
    for (bool left = false;;) {
        std::array<abi::PortEvent, 16> events;
        const auto came = port_.wait(events, left ? abi::poll : core_.deadline());
        if (came) {
            for (const abi::PortEvent& event : *came) {
                if (event.key == endpoint_key)
                    serve_requests();
                else if (event.key == attach_key)
                    take_uplink();
            }
        }
        sender_ = node;
        core_.run();
        left = move_frames();
    }
}

void Server::serve_requests() {
    native::Message message;
    for (unsigned count = 0; count < native::messages_at_once; ++count) {
        const auto incoming = native::receive(endpoint_, message, abi::poll);
        if (!incoming)
            return;
        made_ = 0;
        native::switch_::serve(*this, incoming->badge, message);
        // The interface's own, but in a twin.
        if (abi::tag_handles(message.tag) == 3) message.handle_rights[0] = ring::Pair::memory_rights();
        // Who did not wait for its port does not know of it.
        if (!native::deliver(incoming->reply, message) && made_ != 0)
            (void)port_destroy(incoming->badge, {made_});
    }
}

// --- frames

std::optional<std::uint32_t> Server::next_length(std::size_t index) {
    Link& link = links_[index];
    if (!link.pair)
        return std::nullopt;
    const auto length = link.inbox.next(link.pair.in());
    if (length)
        return *length;
    if (length.error() == abi::Error::broken)
        drop_link(index);
    return std::nullopt;
}

void Server::forward(std::size_t index) {
    Link& link = links_[index];
    const Bytes frame = link.inbox.take(link.pair.in(), buffer_);
    link.consumed = true;
    sender_ = index;
    if (!frame.empty())
        core_.from_port(static_cast<std::uint16_t>(index), frame);
}

// Frames of the sandboxes stay in their rings while the uplink's is full.
bool Server::room() {
    if (!uplink_link_.pair)
        return true;
    const auto room = uplink_link_.pair.out().room();
    blocked_ = room && *room < room_for_frame;
    return !blocked_;
}

bool Server::send_uplink(View frame) {
    if (!uplink_link_.pair || !uplink_link_.pair.out().write_record(ethernet_record, frame))
        return false;
    uplink_link_.written = true;
    return true;
}

bool Server::send_port(std::uint16_t index, View frame) {
    Link& link = links_[index];
    if (!link.pair)
        return false;
    ring::Producer& out = link.pair.out();
    const auto room = out.room();
    const std::uint64_t before = out.produced();
    if (!room || !link.shares.may_add(sender_, frame.size(), before, *room, out.capacity()) || !out.write_record(ethernet_record, frame))
        return false;
    link.shares.add(sender_, out.produced() - before, out.produced(), out.capacity());
    link.written = true;
    return true;
}

bool Server::move_from_uplink() {
    if (!uplink_link_.pair)
        return false;
    for (unsigned i = 0; i < uplink_burst; ++i) {
        const auto record = uplink_link_.pair.in().read_record(buffer_);
        if (!record) {
            if (record.error() == abi::Error::too_large)
                continue;
            if (record.error() != abi::Error::would_block) {
                native::print("the uplink's driver is gone: ", native::error_name(record.error()));
                uplink_link_ = {};
                (void)uplink_.attach();
            }
            return false;
        }
        uplink_link_.consumed = true;
        sender_ = outside;
        if (record->kind == ethernet_record)
            core_.from_uplink(Bytes(buffer_).first(record->length));
    }
    return true;
}

bool Server::move_frames() {
    for (unsigned round = 0; round < rounds_at_once; ++round) {
        blocked_ = false;
        const bool more_outside = move_from_uplink();
        const auto outcome = turns_.run(*this, link_count_);
        wake_peers();
        if (!more_outside && outcome != decltype(turns_)::Outcome::more && nothing_left())
            return false;
    }
    return true;
}

bool Server::nothing_left() {
    if (uplink_link_.pair && !uplink_link_.pair.in().must_wait() && !uplink_link_.pair.in().ended())
        return false;
    if (blocked_)
        return uplink_link_.pair && uplink_link_.pair.out().must_wait(room_for_frame);
    for (std::size_t i = 0; i < link_count_; ++i)
        if (links_[i].pair && !links_[i].pair.in().must_wait() && !links_[i].pair.in().ended() && !links_[i].pair.in().broken())
            return false;
    return true;
}

void Server::wake_peers() {
    const auto wake = [](Link& link) {
        if (!link.pair)
            return;
        if (std::exchange(link.written, false))
            link.pair.wake_after_write();
        if (std::exchange(link.consumed, false))
            link.pair.wake_after_read();
    };
    wake(uplink_link_);
    for (std::size_t i = 0; i < link_count_; ++i)
        wake(links_[i]);
}

// A sandbox that breaks its ring has no network any more; its port stays until runtime ends it.
void Server::drop_link(std::size_t index) {
    native::print("port ", core_.port(static_cast<std::uint16_t>(index)).identity, " broke its ring");
    links_[index].pair.hang_up();
    (void)port_.unbind(links_[index].pair.bell());
    links_[index] = {};
}

// --- the uplink

void Server::take_uplink() {
    auto attached = uplink_.take();
    if (!attached) {
        if (attached.error() != abi::Error::not_found)
            native::print("no uplink: ", native::error_name(attached.error()));
        return;
    }
    uplink_link_ = {};
    uplink_link_.pair = std::move(attached->pair);
    if (const auto bound = port_.bind(uplink_link_.pair.bell(), uplink_bell_key); !bound) {
        native::print("no uplink: ", native::error_name(bound.error()));
        uplink_link_ = {};
        return;
    }
    core_.uplink_up(wire_to_mac(attached->mac));
}

void Server::lease_changed(const Lease& lease) {
    if (lease.address == 0)
        native::print("uplink: lease lost");
    else
        native::print("uplink: ", Dotted{lease.address}, '/', static_cast<unsigned>(std::popcount(lease.mask)), " gateway ", Dotted{lease.router}, " name server ",
                      Dotted{lease.name_server});
}

Time Server::now() { return native::monotonic_nanoseconds(); }

// --- requests of runtime

base::Result<native::switch_::PortCreateReply> Server::port_create(std::uint64_t, const native::switch_::PortCreateRequest& request) {
    ring::Pair pair = TRY(ring::Pair::create(native::self().quota, abi::RingUse::records, ring_bytes, ring::Side::a));
    const std::uint16_t index = TRY(core_.create_port(request.flows));
    const Core::Port& port = core_.port(index);
    if (const auto bound = port_.bind(pair.bell(), first_link_key + index); !bound) {
        (void)core_.destroy_port(port.identity);
        return base::fail(bound.error());
    }
    links_[index] = {};
    links_[index].pair = std::move(pair);
    link_count_ = std::max<std::size_t>(link_count_, index + 1u);
    const ring::Handles peer = links_[index].pair.peer_handles();
    native::switch_::PortCreateReply reply{};
    reply.ring = peer.memory;
    reply.wait = peer.wait;
    reply.signal = peer.signal;
    reply.port = made_ = port.identity;
    reply.mac = mac_to_wire(port.mac());
    reply.address = address_to_wire(port.address);
    reply.gateway = address_to_wire(gateway_address);
    reply.name_server = address_to_wire(core_.lease().name_server);
    return reply;
}

base::Result<native::switch_::PortDestroyReply> Server::port_destroy(std::uint64_t, const native::switch_::PortDestroyRequest& request) {
    const std::uint16_t index = TRY(core_.find_port(request.port));
    TRY(core_.destroy_port(request.port));
    if (links_[index].pair) {
        links_[index].pair.hang_up();
        (void)port_.unbind(links_[index].pair.bell());
        links_[index] = {};
    }
    return native::switch_::PortDestroyReply{};
}

base::Result<native::switch_::PublishReply> Server::publish(std::uint64_t, const native::switch_::PublishRequest& request) {
    TRY(core_.publish(request.port, request.protocol, request.node_port, request.sandbox_port));
    return native::switch_::PublishReply{};
}

base::Result<native::switch_::PortInspectReply> Server::port_inspect(std::uint64_t, const native::switch_::PortInspectRequest& request) {
    const PortCounters& counters = core_.port(TRY(core_.find_port(request.port))).counters;
    native::switch_::PortInspectReply reply{};
    reply.received_bytes = counters.received_bytes;
    reply.sent_bytes = counters.sent_bytes;
    reply.dropped_frames = counters.dropped_frames;
    return reply;
}

base::Result<native::switch_::UplinkInspectReply> Server::uplink_inspect(std::uint64_t, const native::switch_::UplinkInspectRequest&) {
    const Lease& lease = core_.lease();
    native::switch_::UplinkInspectReply reply{};
    reply.address = address_to_wire(lease.address);
    reply.gateway = address_to_wire(lease.router);
    reply.name_server = address_to_wire(lease.name_server);
    reply.received_frames = core_.received_frames();
    reply.sent_frames = core_.sent_frames();
    return reply;
}

void Server::discard(abi::Handle handle) { (void)native::call::handle_close(handle); }

} // namespace netswitch
