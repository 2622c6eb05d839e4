#include "servers/switch/dhcp.hpp"

#include <algorithm>
#include <array>

namespace netswitch {

namespace {

constexpr std::size_t fixed_bytes = 236;
constexpr std::size_t options_at = fixed_bytes + 4;
constexpr std::uint32_t magic_cookie = 0x63825363;
constexpr std::size_t message_bytes = 300; // the least that old relays pass on
constexpr Address everybody = 0xffff'ffff;
constexpr unsigned last_backoff = 6; // 64 s
constexpr unsigned request_attempts = 5;
constexpr Time shortest_renewal = 60 * second;

namespace option {
constexpr std::uint8_t pad = 0, mask = 1, router = 3, name_server = 6, requested_address = 50, lease_time = 51, message_type = 53, server = 54, parameters = 55,
                       renewal_time = 58, rebinding_time = 59, end = 255;
}

} // namespace

struct DhcpClient::Parsed {
    std::uint32_t transaction = 0;
    Address address = 0;
    Mac mac = 0;
    std::uint8_t type = 0;
    Address mask = 0, router = 0, name_server = 0, server = 0;
    std::uint32_t lease_seconds = 0, renewal_seconds = 0, rebinding_seconds = 0;
};

bool DhcpClient::parse(View payload, Parsed& parsed) {
    // BOOTREPLY, Ethernet, 6 bytes of hardware address.
    if (payload.size() < options_at || get8(payload, 0) != 2 || get8(payload, 1) != 1 || get8(payload, 2) != 6 || get32(payload, fixed_bytes) != magic_cookie)
        return false;
    parsed.transaction = get32(payload, 4);
    parsed.address = get32(payload, 16);
    parsed.mac = get_mac(payload, 28);
    for (View rest = payload.subspan(options_at); !rest.empty();) {
        const std::uint8_t code = get8(rest, 0);
        if (code == option::end)
            break;
        if (code == option::pad) {
            rest = rest.subspan(1);
            continue;
        }
        if (rest.size() < 2 || rest.size() - 2 < get8(rest, 1))
            return false;
        const View value = rest.subspan(2, get8(rest, 1));
        rest = rest.subspan(2 + value.size());
        if (code == option::message_type && value.size() == 1)
            parsed.type = get8(value, 0);
        if (value.size() < 4)
            continue;
        const std::uint32_t number = get32(value, 0);
        switch (code) {
        case option::mask: parsed.mask = number; break;
        case option::router: parsed.router = number; break;
        case option::name_server: parsed.name_server = number; break;
        case option::server: parsed.server = number; break;
        case option::lease_time: parsed.lease_seconds = number; break;
        case option::renewal_time: parsed.renewal_seconds = number; break;
        case option::rebinding_time: parsed.rebinding_seconds = number; break;
        default: break;
        }
    }
    return true;
}

void DhcpClient::start(Mac mac, Time now) {
    mac_ = mac;
    begin(now);
}

void DhcpClient::begin(Time now) {
    state_ = State::selecting;
    transaction_ = host_.random();
    started_ = now;
    attempt_ = 0;
    send(MessageType::discover, now);
    retry_later(now);
}

// Doubling from one second to 64, with up to a quarter more so that many nodes do not ask at once.
void DhcpClient::retry_later(Time now) {
    const Time pause = second << std::min(attempt_, last_backoff);
    deadline_ = now + pause + (pause / 4 / 256) * (host_.random() % 256);
    ++attempt_;
}

void DhcpClient::send(MessageType type, Time now) {
    std::array<std::byte, message_bytes> buffer{};
    const Bytes message(buffer);
    const bool has_address = state_ == State::renewing || state_ == State::rebinding;
    put32(message, 0, 0x01010600);
    put32(message, 4, transaction_);
    put16(message, 8, static_cast<std::uint16_t>(std::min<Time>((now - started_) / second, 0xffff)));
    put16(message, 10, has_address ? 0 : 0x8000); // without an address only a broadcast reaches this node
    put32(message, 12, has_address ? lease_.address : 0);
    put_mac(message, 28, mac_);
    put32(message, fixed_bytes, magic_cookie);
    std::size_t at = options_at;
    const auto put_option32 = [&](std::uint8_t code, std::uint32_t value) {
        put8(message, at, code);
        put8(message, at + 1, 4);
        put32(message, at + 2, value);
        at += 6;
    };
    put8(message, at, option::message_type);
    put8(message, at + 1, 1);
    put8(message, at + 2, static_cast<std::uint8_t>(type));
    at += 3;
    if (type == MessageType::request && !has_address) {
        put_option32(option::requested_address, offer_.address);
        put_option32(option::server, offer_.server);
    }
    static constexpr std::uint8_t wanted[] = {option::mask, option::router, option::name_server, option::lease_time, option::renewal_time, option::rebinding_time};
    put8(message, at, option::parameters);
    put8(message, at + 1, sizeof wanted);
    at += 2;
    for (const std::uint8_t code : wanted)
        put8(message, at++, code);
    put8(message, at, option::end);
    host_.send_dhcp(has_address ? lease_.address : 0, state_ == State::renewing ? lease_.server : everybody, message);
}

void DhcpClient::receive(View payload, Time now) {
    Parsed parsed;
    if (state_ == State::stopped || state_ == State::bound || !parse(payload, parsed) || parsed.transaction != transaction_ || parsed.mac != mac_)
        return;
    const auto type = static_cast<MessageType>(parsed.type);
    if (state_ == State::selecting) {
        // A unicast address of a real network, or nothing.
        if (type != MessageType::offer || parsed.address == 0 || parsed.address >> 28 >= 0xe || parsed.address >> 24 == 127 || parsed.server == 0)
            return;
        offer_ = {};
        offer_.address = parsed.address;
        offer_.server = parsed.server;
        state_ = State::requesting;
        attempt_ = 0;
        send(MessageType::request, now);
        retry_later(now);
        return;
    }
    const Address expected = state_ == State::requesting ? offer_.address : lease_.address;
    if (type == MessageType::nak) {
        if (lease_.address != 0) {
            lease_ = {};
            host_.lease_changed(lease_);
        }
        begin(now);
    } else if (type == MessageType::ack && parsed.address == expected) {
        accept(parsed, now);
    }
}

void DhcpClient::accept(const Parsed& parsed, Time now) {
    Lease lease;
    lease.address = parsed.address;
    lease.mask = parsed.mask != 0 ? parsed.mask : 0xffff'ff00;
    lease.router = parsed.router;
    lease.name_server = parsed.name_server;
    lease.server = parsed.server != 0 ? parsed.server : (state_ == State::requesting ? offer_.server : lease_.server);
    const std::uint64_t length = parsed.lease_seconds;
    if (length == 0 || length == UINT32_MAX) {
        lease.renew_at = lease.rebind_at = lease.expires_at = never;
    } else {
        // T1 and T2 as given where they are in order, else half and seven eighths (RFC 2131, 4.4.5).
        const bool given = parsed.renewal_seconds != 0 && parsed.renewal_seconds < parsed.rebinding_seconds && parsed.rebinding_seconds < length;
        lease.renew_at = now + std::max<Time>((given ? parsed.renewal_seconds : length / 2) * second, second);
        lease.rebind_at = now + std::max<Time>((given ? parsed.rebinding_seconds : length * 7 / 8) * second, second);
        lease.expires_at = now + length * second;
    }
    lease_ = lease;
    state_ = State::bound;
    deadline_ = lease.renew_at;
    host_.lease_changed(lease_);
}

void DhcpClient::run(Time now) {
    if (now < deadline_)
        return;
    switch (state_) {
    case State::stopped:
        deadline_ = never;
        return;
    case State::selecting:
        send(MessageType::discover, now);
        retry_later(now);
        return;
    case State::requesting:
        if (attempt_ >= request_attempts)
            return begin(now);
        send(MessageType::request, now);
        retry_later(now);
        return;
    case State::bound:
        transaction_ = host_.random();
        started_ = now;
        [[fallthrough]];
    case State::renewing:
    case State::rebinding:
        break;
    }
    if (now >= lease_.expires_at) {
        lease_ = {};
        host_.lease_changed(lease_);
        return begin(now);
    }
    state_ = now >= lease_.rebind_at ? State::rebinding : State::renewing;
    send(MessageType::request, now);
    // Half of what is left until the next step, but not all the time (RFC 2131, 4.4.5).
    const Time next = state_ == State::rebinding ? lease_.expires_at : lease_.rebind_at;
    deadline_ = std::min(next, now + std::max((next - now) / 2, shortest_renewal));
}

} // namespace netswitch
