// UDP sockets.
#pragma once
#include "linux/net/datagram_socket.hpp"

struct udp_pcb;
struct ip4_addr;
struct raw_pcb;

namespace personality {

class UdpSocket final : public DatagramSocket {
public:
    static LinuxResult<base::Ref<File>> make(std::uint32_t open_flags);
    UdpSocket(udp_pcb* pcb, std::uint32_t open_flags);
    ~UdpSocket() override;

    LinuxResult<void> bind(const SocketAddress& address) override;
    LinuxResult<void> connect(const SocketAddress& address) override;
    LinuxResult<std::size_t> send(SendRequest& request) override;

    // Begins to watch for ICMP errors, which become errors of the sockets they are about. Once, after the stack's start.
    static void watch_errors();

private:
    static void on_receive(void* self, udp_pcb* pcb, pbuf* packet, const ip4_addr* from, std::uint16_t port);
    static std::uint8_t on_error(void*, raw_pcb*, pbuf* packet, const ip4_addr*);
    void options_changed() override;
    void note_local();

    udp_pcb* pcb_;
};

} // namespace personality
