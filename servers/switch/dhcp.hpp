// The uplink's DHCP client (RFC 2131, RFC 2132): a state machine over payloads and a clock. It makes no kernel calls and holds no socket.
#pragma once
#include "servers/switch/packet.hpp"

namespace netswitch {

struct Lease {
    Address address = 0; // 0: none
    Address mask = 0;
    Address router = 0;      // 0: none
    Address name_server = 0; // 0: none
    Address server = 0;
    Time renew_at = 0, rebind_at = 0, expires_at = 0;
};

class DhcpClient {
public:
    // What the client needs of its surroundings.
    class Host {
    public:
        // UDP from port 68 to port 67; destination 255.255.255.255 is a broadcast.
        virtual void send_dhcp(Address source, Address destination, View payload) = 0;
        virtual std::uint32_t random() = 0;
        // A lease was obtained or renewed (address != 0), or lost.
        virtual void lease_changed(const Lease& lease) = 0;

    protected:
        ~Host() = default;
    };
    explicit DhcpClient(Host& host) : host_(host) {}

    void start(Mac mac, Time now);
    // The payload of a UDP datagram to port 68. Hostile: what does not fit is ignored.
    void receive(View payload, Time now);
    // Does what is due at `now`.
    void run(Time now);
    Time deadline() const { return deadline_; }
    const Lease& lease() const { return lease_; }

private:
    enum class State { stopped, selecting, requesting, bound, renewing, rebinding };
    enum class MessageType : std::uint8_t { discover = 1, offer = 2, request = 3, decline = 4, ack = 5, nak = 6 };
    struct Parsed;

    void begin(Time now);
    void send(MessageType type, Time now);
    void retry_later(Time now);
    void accept(const Parsed& parsed, Time now);
    static bool parse(View payload, Parsed& parsed);

    Host& host_;
    Mac mac_ = 0;
    State state_ = State::stopped;
    std::uint32_t transaction_ = 0;
    Time started_ = 0;
    Time deadline_ = never;
    unsigned attempt_ = 0;
    Lease offer_;
    Lease lease_;
};

} // namespace netswitch
