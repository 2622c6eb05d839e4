#include "linux/net/netlink_message.hpp"

#include "linux/core/errno.hpp"
#include "linux/net/inet_address.hpp"
#include "linux/net/interfaces.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace personality::net {

namespace {
namespace message { // RTM_* and NLMSG_*
constexpr std::uint16_t error = 2, done = 3, new_link = 16, get_link = 18, new_address = 20, get_address = 22, new_route = 24, get_route = 26, get_neighbour = 30,
                        get_rule = 34;
}
constexpr std::uint16_t multipart = 2, acknowledge = 4; // NLM_F_*

struct LinkBody { // struct ifinfomsg
    std::uint8_t family, padding;
    std::uint16_t kind;
    std::int32_t index;
    std::uint32_t flags, change;
};
struct AddressBody { // struct ifaddrmsg
    std::uint8_t family, prefix, flags, scope;
    std::uint32_t index;
};
struct RouteBody { // struct rtmsg
    std::uint8_t family, destination_length, source_length, tos, table, protocol, scope, type;
    std::uint32_t flags;
};

std::uint8_t prefix_length(std::uint32_t netmask) { return static_cast<std::uint8_t>(std::popcount(netmask)); }
} // namespace

void NetlinkAnswer::put(std::span<const std::byte> bytes) {
    const std::size_t padded = (bytes.size() + 3) & ~std::size_t{3};
    if (used_ + padded > bytes_.size())
        return;
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += padded;
}

template <class T> void NetlinkAnswer::begin(std::uint16_t type, const T& body) {
    message_ = used_;
    const NetlinkHeader header{0, type, dump() ? multipart : std::uint16_t{0}, request_.sequence, port_};
    put(std::as_bytes(std::span(&header, 1)));
    put(std::as_bytes(std::span(&body, 1)));
}

void NetlinkAnswer::attribute(std::uint16_t type, std::span<const std::byte> value) {
    const std::uint16_t head[2] = {static_cast<std::uint16_t>(4 + value.size()), type};
    put(std::as_bytes(std::span(head)));
    put(value);
}

void NetlinkAnswer::end() {
    const auto length = static_cast<std::uint32_t>(used_ - message_);
    std::memcpy(bytes_.data() + message_, &length, sizeof length);
}

void NetlinkAnswer::links(std::int32_t index, std::span<const char> wanted) {
    for (std::size_t i = 0; i < interface_count(); ++i) {
        const InterfaceView view = interface_view(i);
        const std::string_view name(view.name);
        if (!dump() && view.index != index && (wanted.empty() || name != std::string_view(wanted.data(), wanted.size())))
            continue;
        begin(message::new_link, LinkBody{0, 0, static_cast<std::uint16_t>(view.loopback ? 772 : 1), view.index, view.flags | 0x10000, 0}); // IFF_LOWER_UP
        attribute(3, std::as_bytes(std::span(view.name, name.size() + 1))); // IFLA_IFNAME
        attribute(4, view.mtu);
        attribute(13, std::uint32_t{1000});                                 // IFLA_TXQLEN
        attribute(16, std::uint8_t{view.loopback ? std::uint8_t{0} : std::uint8_t{6}}); // IFLA_OPERSTATE: unknown, up
        attribute(1, std::as_bytes(std::span(&view.mac, 1)).first(6));      // IFLA_ADDRESS
        const std::uint64_t broadcast = view.loopback ? 0 : 0xffff'ffff'ffff;
        attribute(2, std::as_bytes(std::span(&broadcast, 1)).first(6));
        end();
    }
}

void NetlinkAnswer::addresses() {
    for (std::size_t i = 0; i < interface_count(); ++i) {
        const InterfaceView view = interface_view(i);
        constexpr std::uint8_t permanent = 0x80, scope_host = 254;
        begin(message::new_address, AddressBody{address_family::inet, prefix_length(view.netmask), permanent, view.loopback ? scope_host : std::uint8_t{0},
                                                static_cast<std::uint32_t>(view.index)});
        attribute(1, view.address); // IFA_ADDRESS
        attribute(2, view.address); // IFA_LOCAL
        attribute(3, std::as_bytes(std::span(view.name, std::strlen(view.name) + 1)));
        if (!view.loopback)
            attribute(4, view.broadcast);
        end();
    }
}

void NetlinkAnswer::routes() {
    const InterfaceSettings* settings = interface_settings();
    if (settings == nullptr)
        return;
    constexpr std::uint8_t table_main = 254, boot = 3, kernel = 2, scope_link = 253, unicast = 1;
    const std::uint32_t index = 2;
    if (settings->gateway != 0) {
        begin(message::new_route, RouteBody{address_family::inet, 0, 0, 0, table_main, boot, 0, unicast, 0});
        attribute(15, std::uint32_t{table_main});
        attribute(5, settings->gateway);
        attribute(4, index);
        end();
    }
    begin(message::new_route, RouteBody{address_family::inet, prefix_length(settings->netmask), 0, 0, table_main, kernel, scope_link, unicast, 0});
    attribute(15, std::uint32_t{table_main});
    attribute(1, settings->address & settings->netmask);
    attribute(7, settings->address); // RTA_PREFSRC
    attribute(4, index);
    end();
}

void NetlinkAnswer::error(std::int32_t number) {
    struct {
        std::int32_t number;
        NetlinkHeader request;
    } const body{-number, request_};
    begin(message::error, body);
    end();
}

void NetlinkAnswer::done() {
    split_ = used_;
    begin(message::done, std::int32_t{0});
    end();
}

void NetlinkAnswer::make(std::span<const std::byte> body) {
    const std::uint8_t family = body.empty() ? 0 : static_cast<std::uint8_t>(body[0]);
    const bool ours = family == address_family::unspecified || family == address_family::inet;
    switch (request_.type) {
    case message::get_link: {
        LinkBody wanted{};
        std::memcpy(&wanted, body.data(), std::min(body.size(), sizeof wanted));
        std::span<const char> name;
        std::uint16_t head[2];
        for (std::size_t at = sizeof wanted; at + sizeof head <= body.size();) {
            std::memcpy(head, body.data() + at, sizeof head);
            if (head[0] < sizeof head || head[0] > body.size() - at)
                break;
            if (head[1] == 3) {
                name = {reinterpret_cast<const char*>(body.data() + at + 4), head[0] - 4u};
                name = name.first(strnlen(name.data(), name.size()));
            }
            at += (head[0] + 3u) & ~3u;
        }
        links(wanted.index, name);
        break;
    }
    case message::get_address:
        if (!dump())
            return error(static_cast<std::int32_t>(Errno::EOPNOTSUPP));
        if (ours)
            addresses();
        break;
    case message::get_route:
        if (!dump())
            return error(static_cast<std::int32_t>(Errno::EOPNOTSUPP));
        if (ours)
            routes();
        break;
    case message::get_neighbour: case message::get_rule:
        if (!dump())
            return error(static_cast<std::int32_t>(Errno::EOPNOTSUPP));
        break; // none
    default: // what would change something
        return error(static_cast<std::int32_t>(request_.type >= message::new_link ? Errno::EPERM : Errno::EOPNOTSUPP));
    }
    if (dump())
        done();
    else if (used_ == 0)
        error(static_cast<std::int32_t>(Errno::ENODEV));
    else if ((request_.flags & acknowledge) != 0) {
        split_ = used_;
        error(0);
    }
}

} // namespace personality::net
