// What TCP, UDP and raw sockets share.
#pragma once
#include "linux/net/inet_address.hpp"

#include <utility>

struct ip_pcb;

namespace personality {

namespace ip_option { // of level `ip`
inline constexpr int type_of_service = 1, time_to_live = 2, header_included = 3, options = 4, receive_options = 6, packet_information = 8, mtu_discover = 10,
                     receive_errors = 11, receive_ttl = 12, receive_tos = 13, mtu = 14, free_bind = 15, multicast_interface = 32, multicast_ttl = 33,
                     multicast_loop = 34, add_membership = 35, drop_membership = 36, multicast_all = 49, bind_address_no_port = 24;
}

class InetSocket : public Socket {
public:
    using Socket::Socket;
    // Errors: ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM (a raw socket without CAP_NET_RAW: `may_raw`), ENOMEM.
    static LinuxResult<base::Ref<File>> make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags, bool may_raw);

    LinuxResult<void> set_option(int level, int name, std::span<const std::byte> value) override;
    LinuxResult<std::size_t> get_option(int level, int name, std::span<std::byte> value) override;
    WaitQueue* wait_queue() override { return &queue_; }
    // What the program wants told about each message.
    struct WantedControl {
        bool packet_information, time_to_live;
    };
    WantedControl wanted_control() const { return {packet_information_, receive_ttl_}; }

protected:
    Errno take_error() override { return std::exchange(error_, Errno{0}); }
    // The options changed: the family member tells lwIP.
    virtual void options_changed() {}

    // Whether the sandbox has this address; EADDRNOTAVAIL otherwise. Broadcast and multicast addresses are no TCP addresses.
    static LinuxResult<void> check_local(std::uint32_t address);

    WaitQueue queue_;
    Errno error_{0};
    std::uint8_t time_to_live_ = 64, type_of_service_ = 0;
    std::uint8_t multicast_ttl_ = 1;
    bool receive_errors_ = false, receive_ttl_ = false, receive_tos_ = false, packet_information_ = false, free_bind_ = false;
    std::int32_t mtu_discover_ = 1; // IP_PMTUDISC_WANT
};

// The copy of a number in an option's value; a byte is enough for some of level `ip`. EINVAL.
LinuxResult<std::int32_t> option_number(std::span<const std::byte> value);
// Fills what fits.
template <class T> std::size_t option_value(std::span<std::byte> to, const T& value) {
    const std::size_t count = to.size() < sizeof value ? to.size() : sizeof value;
    std::memcpy(to.data(), &value, count);
    return count;
}

} // namespace personality
