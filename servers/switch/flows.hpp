// The table of translated flows: connection tracking for outgoing flows and published ports. Fixed size, made once; no allocation while packets pass.
//
// A flow has two keys. Inside (as the sandbox sees it): protocol, sandbox address and port, remote address and port. Outside (as the uplink sees it): protocol, port
// on the uplink's address, remote address and port. An ICMP echo has its identifier as port and 0 as remote port.
#pragma once
#include "lib/base/vector.hpp"
#include "servers/switch/packet.hpp"

#include <array>

namespace netswitch {

inline constexpr std::size_t most_ports = 256;

struct InsideKey {
    std::uint8_t protocol;
    Address inside;
    std::uint16_t inside_port;
    Address remote;
    std::uint16_t remote_port;
    bool operator==(const InsideKey&) const = default;
};
struct OutsideKey {
    std::uint8_t protocol;
    std::uint16_t node_port;
    Address remote;
    std::uint16_t remote_port;
    bool operator==(const OutsideKey&) const = default;
};

struct Flow {
    InsideKey inside;
    std::uint16_t node_port;
    std::uint16_t port; // index of the switch port
    bool published;     // opened from outside
    bool management;    // of the node's management: not counted among the shared ones
    bool answered;      // packets went both ways
    bool confirmed;     // who opened it has heard the answer: before that anybody could have sent its address
    bool fin_inside, fin_outside, reset;
    Time expires;

    OutsideKey outside() const { return {inside.protocol, node_port, inside.remote, inside.remote_port}; }
};

class FlowTable {
public:
    // `seed` is secret: remote hosts choose parts of the keys. Errors: no_memory.
    base::Result<void> prepare(std::uint16_t capacity, std::uint64_t seed);

    Flow* find(const InsideKey& key);
    Flow* find(const OutsideKey& key);
    struct Opening {
        std::uint16_t node_port;
        std::uint16_t port; // index of the switch port, below most_ports
        bool published;
        bool management;
    };
    // Neither key may be there yet. Null where the table is full. The flow is unanswered, and expires as `touch` says.
    Flow* insert(const InsideKey& key, const Opening& opening, Time now);
    void erase(Flow* flow);
    void erase_port(std::uint16_t port);
    // Those that use the node's port, but for those of switch port `but`.
    void erase_node_port(std::uint8_t protocol, std::uint16_t node_port, std::uint16_t but);
    // All flows: the uplink has another address.
    void clear();

    // A packet of the flow passed.
    void touch(Flow& flow, bool from_inside, std::uint8_t tcp_flags, Time now);
    // Removes what has expired; returns when the next one does, `never` where there is none.
    Time expire(Time now);
    // Where there is no room for new ones, removes of the flows that `which` chooses also connections that have ended and only wait for stray packets, and
    // what nobody has confirmed and nothing came for in `patience` nanoseconds.
    template <class Which> void reclaim(Time now, Time patience, Which which) {
        erase_if([&](const Flow& flow) { return which(flow) && can_be_spared(flow, now, patience); });
    }
    // How many of a switch port's flows were opened from outside, or from inside.
    std::uint16_t count(std::uint16_t port, bool published) const { return of_port_[port][published]; }
    // The same of all switch ports but management's.
    std::uint16_t shared(bool published) const { return shared_[published]; }
    std::uint16_t size() const { return size_; }
    std::uint16_t capacity() const { return static_cast<std::uint16_t>(slots_.size()); }

private:
    static constexpr std::uint16_t none = UINT16_MAX;
    struct Slot {
        Flow flow{};
        bool used = false;
        std::uint16_t next_inside = none; // also the free list
        std::uint16_t next_outside = none;
    };
    static Time life(const Flow& flow);
    static bool can_be_spared(const Flow& flow, Time now, Time patience);
    std::size_t bucket(const InsideKey& key) const;
    std::size_t bucket(const OutsideKey& key) const;
    void unlink(std::uint16_t& head, std::uint16_t index, std::uint16_t Slot::* next);
    template <class Remove> void erase_if(Remove remove) {
        for (Slot& slot : slots_)
            if (slot.used && remove(slot.flow))
                erase(&slot.flow);
    }

    base::Vector<Slot> slots_;
    base::Vector<std::uint16_t> inside_, outside_; // buckets
    std::array<std::array<std::uint16_t, 2>, most_ports> of_port_{};
    std::array<std::uint16_t, 2> shared_{};
    std::uint64_t seed_ = 0;
    std::uint16_t free_ = none;
    std::uint16_t size_ = 0;
};

} // namespace netswitch
