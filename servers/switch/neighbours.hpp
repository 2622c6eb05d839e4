// Who has which MAC on the uplink: ARP (RFC 826) with a queue of packets that wait for an answer. Fixed sizes: a sandbox that asks for many addresses takes the place of
// the entries used least recently, no memory.
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
    explicit Neighbours(Host& host) : host_(host) {}

    // Fills in the destination and sends, now or when the answer comes. False: dropped, the queue is full.
    bool send(Address next_hop, Bytes frame, Time now);
    // A reply, or a request that names its sender. Only addresses that were asked for are learned.
    void learn(Address address, Mac mac, Time now);
    void run(Time now);
    Time deadline() const;
    void clear();

private:
    struct Entry {
        Address address = 0; // 0: free
        Mac mac = 0;         // 0: asked
        unsigned attempts = 0;
        Time ask_again = never; // while asked
        Time fresh_until = 0;
        Time used = 0;
    };
    struct Waiting {
        Address next_hop = 0; // 0: free
        std::size_t length = 0;
        std::array<std::byte, frame_bytes> frame;
    };
    Entry* find(Address address);
    Entry& take(Address address);
    bool enqueue(Address next_hop, View frame);
    void release(Address next_hop, Mac mac);

    Host& host_;
    std::array<Entry, 64> entries_{};
    std::array<Waiting, 32> waiting_{};
};

} // namespace netswitch
