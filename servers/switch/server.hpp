// The switch as a process: rings of the ports and of the uplink, the endpoint for runtime, timers. The packet logic is in core.hpp.
#pragma once
#include "abi/switch_server.hpp"
#include "lib/native/port.hpp"
#include "lib/ring/pair.hpp"
#include "servers/switch/core.hpp"
#include "servers/switch/inbox.hpp"
#include "servers/switch/random.hpp"
#include "servers/switch/round_robin.hpp"
#include "servers/switch/shares.hpp"
#include "servers/switch/uplink.hpp"

#include <array>

namespace netswitch {

class Server final : public native::switch_::Server, Environment {
public:
    Server() : core_(*this) {}
    // Errors: those of the kernel's calls.
    base::Result<void> prepare(abi::Handle endpoint, abi::Handle netdev, abi::Handle entropy);
    [[noreturn]] void run();

    base::Result<native::switch_::PortCreateReply> port_create(std::uint64_t badge, const native::switch_::PortCreateRequest& request) override;
    base::Result<native::switch_::PortDestroyReply> port_destroy(std::uint64_t badge, const native::switch_::PortDestroyRequest& request) override;
    base::Result<native::switch_::PublishReply> publish(std::uint64_t badge, const native::switch_::PublishRequest& request) override;
    base::Result<native::switch_::PortInspectReply> port_inspect(std::uint64_t badge, const native::switch_::PortInspectRequest& request) override;
    base::Result<native::switch_::UplinkInspectReply> uplink_inspect(std::uint64_t badge, const native::switch_::UplinkInspectRequest& request) override;
    void discard(abi::Handle handle) override;

    // What RoundRobin asks for.
    std::optional<std::uint32_t> next_length(std::size_t index);
    void forward(std::size_t index);
    bool room();

private:
    // Who sends what comes to a port: the ports by their index, then these.
    static constexpr std::size_t outside = most_ports, node = most_ports + 1, senders = most_ports + 2;

    struct Link {
        ring::Pair pair;
        Shares<senders> shares; // of what goes to the peer
        bool written = false;  // the peer's bell is to be rung
        bool consumed = false;
        Inbox inbox;
    };

    Time now() override;
    std::uint32_t random() override { return random_.next(); }
    bool send_uplink(View frame) override;
    bool send_port(std::uint16_t index, View frame) override;
    void lease_changed(const Lease& lease) override;

    void serve_requests();
    // Moves frames until there are none left, or others are to have their turn. True: there may be some left, and nobody rings for them. False: every peer is known to
    // wake this server.
    bool move_frames();
    bool move_from_uplink();
    bool nothing_left();
    void wake_peers();
    void take_uplink();
    void drop_link(std::size_t index);

    Core core_;
    Random random_;
    native::Port port_;
    abi::Handle endpoint_ = abi::no_handle;
    std::uint64_t made_ = 0; // the port that the request made
    Uplink uplink_;
    Link uplink_link_;
    std::array<Link, most_ports> links_{};
    std::size_t link_count_ = 0; // highest index in use, and one
    RoundRobin<most_ports> turns_;
    bool blocked_ = false; // waits for room on the uplink
    std::size_t sender_ = node; // of the frame that the core has
    std::array<std::byte, 2048> buffer_;
};

} // namespace netswitch
