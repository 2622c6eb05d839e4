// Who has which MAC on the uplink: ARP (RFC 826) with a queue of packets that wait for an answer. Fixed sizes, shared so that no sender shuts another one out: an address that is
// only asked for takes the place of no known one, the router has a place of its own, and each sender has few of the places to ask and to wait in.
// An address is asked for once a second at most, all together as often as there are places.
#pragma once
#include "servers/switch/packet.hpp"

#include <array>

namespace netswitch {

class Neighbours {
public:
    class Host {
    public:
        virtual void send_arp_request(Address target) = 0;
        // A frame whose destination is known now.
        virtual void send_resolved(Bytes frame) = 0;
        virtual void neighbour_unreachable(Bytes frame) = 0;

    protected:
        ~Host() = default;
    };
    // On whose behalf a frame leaves.
    struct Sender {
        std::uint16_t number; // what it takes is counted under it
        bool reserve;         // may use the quarter of the places that is kept for the node's management
    };
    explicit Neighbours(Host& host) : host_(host) {}

    // The way to everything that is not on the link; 0: none.
    void set_router(Address address);
    // Fills in the destination and sends, now or when the answer comes. False: dropped, the sender has no place left to ask or to wait.
    bool send(Address next_hop, Bytes frame, Sender sender, Time now);
    // A reply, or a request that names its sender. Only addresses that were asked for are learned.
    void learn(Address address, Mac mac, Time now);
    void run(Time now);
    Time deadline() const;
    // Forgets all but the router's address.
    void clear();

private:
    struct Entry {
        Address address = 0; // 0: free
        Mac mac = 0;         // 0: not known
        unsigned attempts = 0;
        std::uint16_t sender = 0; // who asked first
        Time asked_at = 0;
        Time ask_again = never; // while asked
        Time fresh_until = 0;
        Time used = 0;
    };
    struct Waiting {
        Address next_hop = 0; // 0: free
        std::uint16_t sender = 0;
        std::size_t length = 0;
        std::array<std::byte, frame_bytes> frame;
    };
    static constexpr std::size_t most_known = 63, most_asked = 64; // the router not counted
    Entry* find(Address address);
    Entry* place_to_ask(Sender sender);
    bool make_known(const Entry& entry, Time now);
    void ask(Entry& entry, Time now);
    bool enqueue(Address next_hop, View frame, Sender sender);
    void release(Address next_hop, Mac mac);

    Host& host_;
    std::array<Entry, 1 + most_known + most_asked> entries_{}; // the first is the router's
    std::array<Waiting, 64> waiting_{};
};

} // namespace netswitch
