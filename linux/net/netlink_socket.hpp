// AF_NETLINK sockets of family NETLINK_ROUTE (rtnetlink(7)): what programs ask to know interfaces, addresses and routes. Nothing can be changed by them.
#pragma once
#include "linux/ipc/socket.hpp"

#include "lib/base/vector.hpp"

namespace personality {

class NetlinkSocket final : public Socket {
public:
    // Errors: ESOCKTNOSUPPORT, EPROTONOSUPPORT (another family than NETLINK_ROUTE), ENOMEM.
    static LinuxResult<base::Ref<File>> make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags);
    using Socket::Socket;

    LinuxResult<void> bind(const SocketAddress& address) override;
    LinuxResult<void> connect(const SocketAddress& address) override;
    LinuxResult<void> local_address(SocketAddress& address) override;
    LinuxResult<void> peer_address(SocketAddress& address) override;
    LinuxResult<std::size_t> send(SendRequest& request) override;
    LinuxResult<std::size_t> receive(ReceiveRequest& request) override;
    LinuxResult<void> set_option(int level, int name, std::span<const std::byte> value) override;
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &queue_; }

private:
    std::uint32_t port();

    WaitQueue queue_;
    std::uint32_t port_ = 0;
    base::Vector<std::byte> answers_; // messages, each a datagram: its length as 32 bits, then its bytes
    std::size_t taken_ = 0;
};

} // namespace personality
