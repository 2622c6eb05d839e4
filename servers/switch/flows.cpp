#include "servers/switch/flows.hpp"

#include "lib/base/hash_map.hpp"

#include <algorithm>
#include <bit>

namespace netswitch {

namespace {

// RFC 5382, 4787 and 5508 give the least of the long ones.
constexpr Time tcp_opening = 120 * second;
constexpr Time tcp_open = 7440 * second;
constexpr Time tcp_closing = 60 * second;
constexpr Time tcp_reset = 10 * second;
constexpr Time udp_unanswered = 30 * second;
constexpr Time udp_answered = 300 * second;
constexpr Time udp_name = 30 * second;
constexpr Time icmp_echo = 60 * second;
constexpr std::uint16_t name_port = 53;

std::uint64_t pack(std::uint32_t high, std::uint16_t first, std::uint16_t second_half) {
    return static_cast<std::uint64_t>(high) << 32 | static_cast<std::uint32_t>(first) << 16 | second_half;
}

} // namespace

base::Result<void> FlowTable::prepare(std::uint16_t capacity, std::uint64_t seed) {
    const std::size_t buckets = std::bit_ceil(std::size_t{capacity});
    TRY(slots_.resize(capacity));
    TRY(inside_.resize(buckets));
    TRY(outside_.resize(buckets));
    for (std::uint16_t& head : inside_)
        head = none;
    for (std::uint16_t& head : outside_)
        head = none;
    for (std::uint16_t i = 0; i < capacity; ++i)
        slots_[i].next_inside = i + 1 < capacity ? static_cast<std::uint16_t>(i + 1) : none;
    free_ = 0;
    seed_ = seed;
    return {};
}

std::size_t FlowTable::bucket(const InsideKey& key) const {
    const std::uint64_t first = base::mix(pack(key.inside, key.inside_port, key.protocol) ^ seed_);
    return base::mix(pack(key.remote, key.remote_port, 0) ^ first) & (inside_.size() - 1);
}

std::size_t FlowTable::bucket(const OutsideKey& key) const {
    const std::uint64_t first = base::mix(pack(key.protocol, key.node_port, 1) ^ seed_);
    return base::mix(pack(key.remote, key.remote_port, 0) ^ first) & (outside_.size() - 1);
}

Flow* FlowTable::find(const InsideKey& key) {
    for (std::uint16_t i = inside_[bucket(key)]; i != none; i = slots_[i].next_inside)
        if (slots_[i].flow.inside == key)
            return &slots_[i].flow;
    return nullptr;
}

Flow* FlowTable::find(const OutsideKey& key) {
    for (std::uint16_t i = outside_[bucket(key)]; i != none; i = slots_[i].next_outside)
        if (slots_[i].flow.outside() == key)
            return &slots_[i].flow;
    return nullptr;
}

Flow* FlowTable::insert(const InsideKey& key, const Opening& opening, Time now) {
    if (free_ == none)
        return nullptr;
    const std::uint16_t index = free_;
    Slot& slot = slots_[index];
    free_ = slot.next_inside;
    slot.used = true;
    slot.flow = {};
    slot.flow.inside = key;
    slot.flow.node_port = opening.node_port;
    slot.flow.port = opening.port;
    slot.flow.published = opening.published;
    slot.flow.management = opening.management;
    touch(slot.flow, !opening.published, tcp_flag::syn, now);
    std::uint16_t& inside = inside_[bucket(key)];
    slot.next_inside = inside;
    inside = index;
    std::uint16_t& outside = outside_[bucket(slot.flow.outside())];
    slot.next_outside = outside;
    outside = index;
    ++size_;
    ++of_port_[opening.port][opening.published];
    shared_[opening.published] += !opening.management;
    return &slot.flow;
}

void FlowTable::unlink(std::uint16_t& head, std::uint16_t index, std::uint16_t Slot::* next) {
    for (std::uint16_t* at = &head; *at != none; at = &(slots_[*at].*next)) {
        if (*at == index) {
            *at = slots_[index].*next;
            return;
        }
    }
}

void FlowTable::erase(Flow* flow) {
    const auto index = static_cast<std::uint16_t>(reinterpret_cast<Slot*>(flow) - slots_.data());
    static_assert(offsetof(Slot, flow) == 0);
    Slot& slot = slots_[index];
    unlink(inside_[bucket(flow->inside)], index, &Slot::next_inside);
    unlink(outside_[bucket(flow->outside())], index, &Slot::next_outside);
    slot.used = false;
    slot.next_inside = free_;
    free_ = index;
    --size_;
    --of_port_[flow->port][flow->published];
    shared_[flow->published] -= !flow->management;
}

void FlowTable::erase_port(std::uint16_t port) {
    erase_if([&](const Flow& flow) { return flow.port == port; });
}
void FlowTable::erase_node_port(std::uint8_t protocol, std::uint16_t node_port, std::uint16_t but) {
    erase_if([&](const Flow& flow) { return flow.inside.protocol == protocol && flow.node_port == node_port && flow.port != but; });
}
Time FlowTable::expire(Time now) {
    Time next = never;
    erase_if([&](const Flow& flow) {
        if (flow.expires <= now)
            return true;
        next = std::min(next, flow.expires);
        return false;
    });
    return next;
}
void FlowTable::clear() {
    erase_if([](const Flow&) { return true; });
}

namespace {
bool has_ended(const Flow& flow) { return flow.reset || (flow.fin_inside && flow.fin_outside); }
} // namespace

// Of a TCP connection that has ended nothing came for a second.
bool FlowTable::can_be_spared(const Flow& flow, Time now, Time patience) {
    if (flow.expires <= now)
        return true;
    const Time idle = now + life(flow) - flow.expires;
    return (has_ended(flow) && idle >= second) || (!flow.confirmed && idle >= patience);
}

Time FlowTable::life(const Flow& flow) {
    switch (flow.inside.protocol) {
    case protocol::udp:
        return flow.inside.remote_port == name_port ? udp_name : flow.answered ? udp_answered : udp_unanswered;
    case protocol::tcp:
        return flow.reset ? tcp_reset : has_ended(flow) ? tcp_closing : flow.confirmed ? tcp_open : tcp_opening;
    default:
        return icmp_echo;
    }
}

void FlowTable::touch(Flow& flow, bool from_inside, std::uint8_t tcp_flags, Time now) {
    if (flow.inside.protocol == protocol::tcp) {
        const bool ended = has_ended(flow);
        flow.reset |= (tcp_flags & tcp_flag::reset) != 0;
        if (tcp_flags & tcp_flag::fin)
            (from_inside ? flow.fin_inside : flow.fin_outside) = true;
        // A new SYN on a connection that ended uses the same ports again.
        if ((tcp_flags & (tcp_flag::syn | tcp_flag::ack)) == tcp_flag::syn) {
            flow.fin_inside = flow.fin_outside = flow.reset = false;
            if (ended)
                flow.answered = flow.confirmed = false;
        }
    }
    if (from_inside == flow.published)
        flow.answered = true;
    else if (flow.answered && (tcp_flags & tcp_flag::syn) == 0)
        flow.confirmed = true;
    flow.expires = now + life(flow);
}

} // namespace netswitch
