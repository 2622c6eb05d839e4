// Raw IPv4 sockets, and the "ping sockets": SOCK_DGRAM with ICMP.
#pragma once
#include "linux/net/datagram_socket.hpp"

struct raw_pcb;
struct ip4_addr;

namespace personality {

class RawSocket final : public DatagramSocket {
public:
    static LinuxResult<base::Ref<File>> make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags);
    RawSocket(raw_pcb* pcb, std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags);
    ~RawSocket() override;

    LinuxResult<void> bind(const SocketAddress& address) override;
    LinuxResult<void> connect(const SocketAddress& address) override;
    LinuxResult<std::size_t> send(SendRequest& request) override;
    LinuxResult<void> set_option(int level, int name, std::span<const std::byte> value) override;
    LinuxResult<std::size_t> get_option(int level, int name, std::span<std::byte> value) override;

private:
    static std::uint8_t on_receive(void* self, raw_pcb* pcb, pbuf* packet, const ip4_addr* from);
    bool ping() const { return type() == socket_type::datagram; }
    void options_changed() override;
    LinuxResult<void> prepare_ping(pbuf& packet);

    raw_pcb* pcb_;
    std::uint32_t filter_ = 0; // ICMP types that the program does not want (ICMP_FILTER)
    bool header_included_ = false;
};

} // namespace personality
