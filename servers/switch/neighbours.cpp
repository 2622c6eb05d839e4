#include "servers/switch/neighbours.hpp"

#include <algorithm>

namespace netswitch {

namespace {
constexpr unsigned most_attempts = 3;
constexpr unsigned most_waiting_each = 4;
constexpr Time retry = second;
constexpr Time fresh = 60 * second;
} // namespace

Neighbours::Entry* Neighbours::find(Address address) {
    for (Entry& entry : entries_)
        if (entry.address == address)
            return &entry;
    return nullptr;
}

Neighbours::Entry& Neighbours::take(Address address) {
    Entry* oldest = &entries_[0];
    for (Entry& entry : entries_) {
        if (entry.address == 0) {
            oldest = &entry;
            break;
        }
        if (entry.used < oldest->used)
            oldest = &entry;
    }
    if (oldest->address != 0)
        release(oldest->address, 0);
    *oldest = {};
    oldest->address = address;
    return *oldest;
}

bool Neighbours::send(Address next_hop, Bytes frame, Time now) {
    Entry* entry = find(next_hop);
    if (entry != nullptr && entry->mac != 0) {
        entry->used = now;
        put_mac(frame, 0, entry->mac);
        host_.send_resolved(frame);
        // What is no longer fresh stays in use while it is asked for again.
        if (now >= entry->fresh_until && entry->ask_again == never) {
            entry->attempts = 1;
            entry->ask_again = now + retry;
            host_.send_arp_request(next_hop);
        }
        return true;
    }
    const bool ask = entry == nullptr;
    if (ask)
        entry = &take(next_hop);
    entry->used = now;
    const bool queued = enqueue(next_hop, frame);
    if (ask) {
        entry->attempts = 1;
        entry->ask_again = now + retry;
        host_.send_arp_request(next_hop);
    }
    return queued;
}

bool Neighbours::enqueue(Address next_hop, View frame) {
    Waiting* place = nullptr;
    unsigned count = 0;
    for (Waiting& waiting : waiting_) {
        count += waiting.next_hop == next_hop;
        if (waiting.next_hop == 0 && place == nullptr)
            place = &waiting;
    }
    if (place == nullptr || count >= most_waiting_each || frame.size() > place->frame.size())
        return false;
    place->next_hop = next_hop;
    place->length = frame.size();
    std::copy(frame.begin(), frame.end(), place->frame.begin());
    return true;
}

// Sends what waits, or gives it up where `mac` is 0. The place is free before the host is called, which may send again.
void Neighbours::release(Address next_hop, Mac mac) {
    for (Waiting& waiting : waiting_) {
        if (waiting.next_hop != next_hop)
            continue;
        waiting.next_hop = 0;
        std::array<std::byte, frame_bytes> copy = waiting.frame;
        const Bytes frame = Bytes(copy).first(waiting.length);
        if (mac == 0) {
            host_.neighbour_unreachable(frame);
            continue;
        }
        put_mac(frame, 0, mac);
        host_.send_resolved(frame);
    }
}

void Neighbours::learn(Address address, Mac mac, Time now) {
    Entry* entry = find(address);
    // A group address or none is nobody's MAC.
    if (entry == nullptr || address == 0 || mac == 0 || (mac >> 40 & 1) != 0)
        return;
    entry->mac = mac;
    entry->attempts = 0;
    entry->ask_again = never;
    entry->fresh_until = now + fresh;
    release(address, mac);
}

void Neighbours::run(Time now) {
    for (Entry& entry : entries_) {
        if (entry.address == 0 || entry.ask_again > now)
            continue;
        if (entry.attempts >= most_attempts) {
            const Address address = entry.address;
            entry = {};
            release(address, 0);
            continue;
        }
        ++entry.attempts;
        entry.ask_again = now + retry;
        host_.send_arp_request(entry.address);
    }
}

Time Neighbours::deadline() const {
    Time first = never;
    for (const Entry& entry : entries_)
        if (entry.address != 0)
            first = std::min(first, entry.ask_again);
    return first;
}

void Neighbours::clear() {
    for (Entry& entry : entries_)
        entry = {};
    for (Waiting& waiting : waiting_)
        waiting.next_hop = 0;
}

} // namespace netswitch
