#include "servers/switch/neighbours.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace netswitch {

namespace {

constexpr unsigned most_attempts = 3;
constexpr Time retry = second;
constexpr Time fresh = 60 * second;
constexpr unsigned most_each = 4;

// Whether a sender that has `own` of the `taken` ones of `places` may have another one. Who has some leaves eight free for each of them: senders that come later find a place.
bool may_take(unsigned own, unsigned taken, unsigned places, bool reserve) {
    const unsigned kept = places / 4;
    if (reserve)
        return own < kept && taken < places;
    return own < most_each && taken + own * 8 < places - kept;
}

} // namespace

Neighbours::Entry* Neighbours::find(Address address) {
    for (Entry& entry : entries_)
        if (entry.address == address)
            return &entry;
    return nullptr;
}

void Neighbours::set_router(Address address) {
    Entry& router = entries_[0];
    if (router.address == address)
        return;
    const Address before = std::exchange(router, {}).address;
    if (before != 0)
        release(before, 0);
    if (address == 0)
        return;
    if (Entry* const entry = find(address))
        router = std::exchange(*entry, {});
    router.address = address;
}

// Null where the sender, or all together, ask for as many addresses as they may.
Neighbours::Entry* Neighbours::place_to_ask(Sender sender) {
    Entry* free = nullptr;
    unsigned own = 0, taken = 0;
    for (Entry& entry : std::span(entries_).subspan(1)) {
        if (entry.address == 0) {
            free = free != nullptr ? free : &entry;
        } else if (entry.mac == 0) {
            ++taken;
            own += entry.sender == sender.number;
        }
    }
    return may_take(own, taken, most_asked, sender.reserve) ? free : nullptr;
}

// Room among the known ones: that of the one used least recently. One that was asked for within the last second stays, or it would be asked for again too soon.
bool Neighbours::make_known(const Entry& entry, Time now) {
    if (&entry == &entries_[0] || entry.mac != 0)
        return true;
    Entry* oldest = nullptr;
    std::size_t known = 0;
    for (Entry& other : std::span(entries_).subspan(1)) {
        if (other.mac == 0)
            continue;
        ++known;
        if (now - other.asked_at >= retry && (oldest == nullptr || other.used < oldest->used))
            oldest = &other;
    }
    if (known < most_known)
        return true;
    if (oldest == nullptr)
        return false;
    *oldest = {};
    return true;
}

void Neighbours::ask(Entry& entry, Time now) {
    ++entry.attempts;
    entry.asked_at = now;
    entry.ask_again = now + retry;
    host_.send_arp_request(entry.address);
}

bool Neighbours::send(Address next_hop, Bytes frame, Sender sender, Time now) {
    Entry* entry = find(next_hop);
    if (entry != nullptr && entry->mac != 0) {
        entry->used = now;
        put_mac(frame, 0, entry->mac);
        host_.send_resolved(frame);
        // What is no longer fresh stays in use while it is asked for again.
        if (now >= entry->fresh_until && entry->ask_again == never)
            ask(*entry, now);
        return true;
    }
    if (entry == nullptr) {
        entry = place_to_ask(sender);
        if (entry == nullptr)
            return false;
        entry->address = next_hop;
        entry->sender = sender.number;
    }
    entry->used = now;
    const bool queued = enqueue(next_hop, frame, sender);
    if (entry->ask_again == never)
        ask(*entry, now);
    return queued;
}

bool Neighbours::enqueue(Address next_hop, View frame, Sender sender) {
    Waiting* place = nullptr;
    unsigned own = 0, taken = 0;
    for (Waiting& waiting : waiting_) {
        if (waiting.next_hop == 0) {
            place = place != nullptr ? place : &waiting;
        } else {
            ++taken;
            own += waiting.sender == sender.number;
        }
    }
    if (!may_take(own, taken, waiting_.size(), sender.reserve) || frame.size() > place->frame.size())
        return false;
    place->next_hop = next_hop;
    place->sender = sender.number;
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
    if (make_known(*entry, now)) {
        entry->mac = mac;
        entry->attempts = 0;
        entry->ask_again = never;
        entry->fresh_until = now + fresh;
    }
    release(address, mac);
}

void Neighbours::run(Time now) {
    for (Entry& entry : entries_) {
        if (entry.address == 0 || entry.ask_again > now)
            continue;
        if (entry.attempts < most_attempts) {
            ask(entry, now);
            continue;
        }
        const Address address = std::exchange(entry, {}).address;
        if (&entry == &entries_[0])
            entry.address = address;
        release(address, 0);
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
    const Address router = entries_[0].address;
    for (Entry& entry : entries_)
        entry = {};
    entries_[0].address = router;
    for (Waiting& waiting : waiting_)
        waiting.next_hop = 0;
}

} // namespace netswitch
