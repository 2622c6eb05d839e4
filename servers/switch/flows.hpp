// The table of translated flows: connection tracking for outgoing flows and published ports. Fixed size, made once; no allocation while packets pass.
//
// A flow has two keys. Inside (as the sandbox sees it): protocol, sandbox address and port, remote address and port. Outside (as the uplink sees it): protocol, port
// on the uplink's address, remote address and port. An ICMP echo has its identifier as port and 0 as remote port.
#pragma once
#include "lib/base/vector.hpp"
#include "servers/switch/packet.hpp"

namespace netswitch {

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
    bool answered;      // packets went both ways
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
    // Neither key may be there yet. Null where the table is full. The flow is unanswered, and expires as `touch` says.
    Flow* insert(const InsideKey& key, std::uint16_t node_port, std::uint16_t port, bool published, Time now);
    void erase(Flow* flow);
    void erase_port(std::uint16_t port);
    // All flows: the uplink has another address.
    void clear();

    // A packet of the flow passed.
    void touch(Flow& flow, bool from_inside, std::uint8_t tcp_flags, Time now);
    // Removes what has expired; `gone` hears of each.
    template <class Gone> void expire(Time now, Gone gone) {
        erase_if([&](const Flow& flow) {
            if (flow.expires > now)
                return false;
            gone(flow);
            return true;
        });
    }
    // Removes connections that have ended, too, which only wait for stray packets: where there is no room for new ones.
    template <class Gone> void expire_ended(Time now, Gone gone) {
        erase_if([&](const Flow& flow) {
            if (!has_rested(flow, now))
                return false;
            gone(flow);
            return true;
        });
    }
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
    static bool has_rested(const Flow& flow, Time now);
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
    std::uint64_t seed_ = 0;
    std::uint16_t free_ = none;
    std::uint16_t size_ = 0;
};

} // namespace netswitch
