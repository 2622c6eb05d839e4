// What UDP and raw sockets share: a queue of packets that came.
#pragma once
#include "linux/net/inet_socket.hpp"
#include "linux/net/packet_queue.hpp"

namespace personality {

class DatagramSocket : public InetSocket {
public:
    LinuxResult<void> shutdown(bool reading, bool writing) override;
    LinuxResult<void> local_address(SocketAddress& address) override;
    LinuxResult<void> peer_address(SocketAddress& address) override;
    LinuxResult<std::size_t> receive(ReceiveRequest& request) override;
    std::uint32_t poll() override;

protected:
    using InetSocket::InetSocket;
    std::size_t bytes_readable() override { return received_.empty() ? 0 : received_.front().packet->tot_len; }
    // Takes the packet over; what finds no room is dropped. Out of lwIP's callback.
    void deliver(net::Packet packet);
    // Where a message goes: to the address, else to the connected peer. Errors: EDESTADDRREQ, EPIPE, EACCES (broadcast), and the pending error.
    LinuxResult<InetAddress> destination(const SendRequest& request);

    InetAddress local_, peer_;
    bool connected_ = false, read_shut_ = false, write_shut_ = false;

private:
    static constexpr std::size_t overhead = 256; // what a packet costs beyond its bytes
    net::PacketQueue received_;
    std::size_t used_ = 0;
};

} // namespace personality
