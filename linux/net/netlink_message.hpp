// The answers to requests of NETLINK_ROUTE (rtnetlink(7)). Sandbox lock.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace personality::net {

struct NetlinkHeader { // struct nlmsghdr
    std::uint32_t length;
    std::uint16_t type, flags;
    std::uint32_t sequence, port;
};
static_assert(sizeof(NetlinkHeader) == 16);

class NetlinkAnswer {
public:
    NetlinkAnswer(const NetlinkHeader& request, std::uint32_t port) : request_(request), port_(port) {}
    // `body`: what follows the request's header.
    void make(std::span<const std::byte> body);
    // What the program receives one after the other; an empty one is none.
    std::array<std::span<const std::byte>, 2> datagrams() const {
        const std::span<const std::byte> all(bytes_);
        return {all.first(split_), all.subspan(split_, used_ - split_)};
    }

private:
    void links(std::int32_t index, std::span<const char> name);
    void addresses();
    void routes();
    void error(std::int32_t number);
    void done();

    bool dump() const { return (request_.flags & 0x300) == 0x300; } // NLM_F_DUMP
    template <class T> void begin(std::uint16_t type, const T& body);
    void attribute(std::uint16_t type, std::span<const std::byte> value);
    template <class T> void attribute(std::uint16_t type, const T& value) { attribute(type, std::as_bytes(std::span(&value, 1))); }
    void end();
    void put(std::span<const std::byte> bytes);

    NetlinkHeader request_;
    std::uint32_t port_;
    std::size_t message_ = 0, split_ = 0, used_ = 0;
    std::array<std::byte, 2048> bytes_{}; // enough for two interfaces
};

} // namespace personality::net
