// The switch's packet logic: ports, policy, translation. No kernel calls: frames come in as bytes, go out through Environment, and time is its clock.
#pragma once
#include "lib/base/result.hpp"
#include "lib/base/vector.hpp"
#include "servers/switch/dhcp.hpp"
#include "servers/switch/flows.hpp"
#include "servers/switch/neighbours.hpp"
#include "servers/switch/packet.hpp"

#include <array>

namespace netswitch {

inline constexpr Address inner_network = make_address(172, 17, 0, 0);
inline constexpr Address inner_mask = 0xffff'0000;
inline constexpr Address gateway_address = make_address(172, 17, 0, 1);
inline constexpr std::size_t most_published = 1024;

// 02:54:00:00:hi:lo by the low half of the address; locally administered.
constexpr Mac mac_of(Address address) { return 0x0254'0000'0000 | (address & 0xffff); }
inline constexpr Mac gateway_mac = mac_of(gateway_address);

// Flow rights of a port, as in abi/switch.abi.
namespace flow_right {
inline constexpr std::uint32_t uplink = 1, peers = 2, management = 4;
inline constexpr std::uint32_t all = 7;
} // namespace flow_right

// Why frames were dropped. One counter each.
enum class Drop : std::uint8_t { malformed, spoofed, policy, no_flow, table_full, fragment, no_room, unreachable, no_lease, expired, other_protocol, count };

struct PortCounters {
    std::uint64_t received_bytes = 0; // by the sandbox
    std::uint64_t sent_bytes = 0;
    std::uint64_t dropped_frames = 0;
};

class Environment {
public:
    virtual Time now() = 0;
    virtual std::uint32_t random() = 0;
    // False: no room, the frame is gone.
    virtual bool send_uplink(View frame) = 0;
    virtual bool send_port(std::uint16_t index, View frame) = 0;
    virtual void lease_changed(const Lease& lease) = 0;

protected:
    ~Environment() = default;
};

class Core : DhcpClient::Host, Neighbours::Host {
public:
    explicit Core(Environment& environment) : environment_(environment), dhcp_(*this), neighbours_(*this) {}
    // Errors: no_memory.
    base::Result<void> prepare(std::uint16_t most_flows = 16384);
    // The uplink is there: asks for an address.
    void uplink_up(Mac mac);

    // --- ports. The index is small and used again, the identity is not.
    struct Port {
        std::uint64_t identity = 0; // 0: free
        std::uint32_t flows = 0;
        Address address = 0;
        PortCounters counters;
        Time reclaim_again = 0;
        Time answer_window = 0; // limits rejects
        unsigned answers = 0;
        Mac mac() const { return mac_of(address); }
        bool may(std::uint32_t right) const { return (flows & right) != 0; }
    };
    // Errors: no_slots, bad_argument.
    base::Result<std::uint16_t> create_port(std::uint32_t flows);
    // Errors: not_found.
    base::Result<void> destroy_port(std::uint64_t identity);
    base::Result<std::uint16_t> find_port(std::uint64_t identity) const;
    // Flows of other ports that use the node's port end: who publishes it has it. Errors: not_found, exists, bad_argument, no_slots, no_memory.
    base::Result<void> publish(std::uint64_t identity, std::uint32_t protocol, std::uint32_t node_port, std::uint32_t sandbox_port);
    const Port& port(std::uint16_t index) const { return ports_[index]; }

    // --- frames. The buffer is the callee's to change.
    void from_uplink(Bytes frame);
    void from_port(std::uint16_t index, Bytes frame);

    // --- time
    void run();
    Time deadline() const;

    const Lease& lease() const { return dhcp_.lease(); }
    std::uint64_t dropped(Drop reason) const { return drops_[static_cast<std::size_t>(reason)]; }
    std::uint64_t received_frames() const { return received_frames_; }
    std::uint64_t sent_frames() const { return sent_frames_; }
    std::uint16_t flow_count() const { return flows_.size(); }

private:
    struct Published {
        std::uint8_t protocol;
        std::uint16_t node_port;
        std::uint16_t sandbox_port;
        std::uint16_t port;
    };
    static constexpr std::uint16_t nobody = UINT16_MAX;
    // Answers to anybody have a share of their own, and none of what is kept for the node.
    static constexpr Neighbours::Sender answers{nobody, false}, dhcp{nobody - 1, true};

    // core.cpp: ports, what leaves, timers
    void drop(Drop reason, std::uint16_t port = nobody);
    std::uint16_t index_of(Address address) const;
    const Published* published(std::uint8_t protocol, std::uint16_t node_port) const;
    void deliver(std::uint16_t index, Bytes frame);
    Neighbours::Sender sender(std::uint16_t index) const { return {index, ports_[index].may(flow_right::management)}; }
    unsigned most_of_port(std::uint16_t index, bool published) const;
    unsigned free_flows(std::uint16_t index, bool published) const;
    bool may_open(std::uint16_t index, bool published) const;
    bool find_room(std::uint16_t index, bool published);
    // After `find_room`. Neither key may be there yet.
    Flow* open(std::uint16_t index, const InsideKey& key, std::uint16_t node_port, bool published);
    // A packet of the flow passes.
    void touch(Flow& flow, bool from_inside, std::uint8_t tcp_flags);
    void note_expiry(const Flow& flow);
    void send_dhcp(Address source, Address destination, View payload) override;
    std::uint32_t random() override { return environment_.random(); }
    void lease_changed(const Lease& lease) override;
    void send_arp_request(Address target) override;
    void send_resolved(Bytes frame) override;
    void neighbour_unreachable(Bytes frame) override;

    // inside.cpp: frames of sandboxes
    void arp_from_port(std::uint16_t index, View frame);
    void ipv4_from_port(std::uint16_t index, Bytes frame, Packet& packet);
    void to_gateway(std::uint16_t index, const Packet& packet);
    void to_peer(std::uint16_t index, Bytes frame, const Packet& packet);
    void to_uplink(std::uint16_t index, Bytes frame, Packet& packet, const Transport& transport);
    void icmp_error_from_port(std::uint16_t index, Bytes frame, Packet& packet);
    bool allowed_destination(const Packet& packet, const Transport& transport) const;
    std::uint16_t choose_node_port(const InsideKey& key);
    Flow* open_outgoing(std::uint16_t index, const InsideKey& key);
    void route_uplink(Bytes frame, Address destination, Neighbours::Sender sender);
    // Tells the sandbox at once that its packet goes nowhere: a reset for TCP, else ICMP "administratively prohibited". Limited in number.
    void reject(std::uint16_t index, const Packet& packet, const Transport& transport);
    bool may_answer(std::uint16_t index);
    void send_icmp_error(std::uint16_t index, const Packet& packet, std::uint8_t type, std::uint8_t code);

    // outside.cpp: frames of the uplink
    void arp_from_uplink(View frame);
    void ipv4_from_uplink(Bytes frame, Packet& packet);
    void icmp_error_from_uplink(Bytes frame, Packet& packet);
    void echo_from_uplink(const Packet& packet);
    void refuse_from_uplink(const Packet& packet, const Transport& transport);
    Flow* open_published(const Packet& packet, const Transport& transport);
    void forward_inside(Flow& flow, Bytes frame, Packet& packet, std::uint8_t tcp_flags);

    Environment& environment_;
    DhcpClient dhcp_;
    Neighbours neighbours_;
    FlowTable flows_;
    std::array<Port, most_ports> ports_{};
    base::Vector<Published> published_;
    Mac uplink_mac_ = 0; // 0: no uplink
    Address known_address_ = 0; // of the last lease
    std::uint64_t last_identity_ = 0;
    Address last_address_ = gateway_address;
    Time next_expiry_ = never; // when the table is looked through
    Time reset_window_ = 0; // limits answers to what nobody waits for
    unsigned resets_ = 0;
    std::uint16_t next_identification_ = 1;
    std::array<std::uint64_t, static_cast<std::size_t>(Drop::count)> drops_{};
    std::uint64_t received_frames_ = 0;
    std::uint64_t sent_frames_ = 0;
};

} // namespace netswitch
