// AF_UNIX sockets: stream, sequential packets, datagrams.
#pragma once
#include "linux/ipc/unix_endpoint.hpp"

namespace personality {

class UnixSocket final : public Socket {
public:
    UnixSocket(base::Ref<UnixEndpoint> endpoint, std::uint32_t open_flags);
    ~UnixSocket() override { endpoint_->close(); }
    // Errors: ESOCKTNOSUPPORT, EPROTONOSUPPORT, ENOMEM.
    static LinuxResult<base::Ref<File>> make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags);
    static LinuxResult<void> make_pair(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags, base::Ref<File> ends[2]);

    LinuxResult<void> bind(const SocketAddress& address) override;
    LinuxResult<void> listen(int backlog) override;
    LinuxResult<base::Ref<File>> accept(SocketAddress& peer, std::uint32_t open_flags) override;
    LinuxResult<void> connect(const SocketAddress& address) override;
    LinuxResult<void> shutdown(bool reading, bool writing) override;
    LinuxResult<void> local_address(SocketAddress& address) override;
    LinuxResult<void> peer_address(SocketAddress& address) override;
    LinuxResult<std::size_t> send(SendRequest& request) override;
    LinuxResult<std::size_t> receive(ReceiveRequest& request) override;
    LinuxResult<std::size_t> get_option(int level, int name, std::span<std::byte> value) override;
    std::uint32_t poll() override;
    WaitQueue* wait_queue() override { return &endpoint_->queue; }
    UnixEndpoint& endpoint() { return *endpoint_; }

protected:
    Errno take_error() override { return std::exchange(endpoint_->error, Errno{0}); }
    bool accepting() const override { return endpoint_->listening; }
    std::size_t bytes_readable() override;

private:
    LinuxResult<std::size_t> send_stream(SendRequest& request);
    LinuxResult<std::size_t> send_message(SendRequest& request);
    LinuxResult<std::size_t> receive_stream(ReceiveRequest& request);
    LinuxResult<std::size_t> receive_message(ReceiveRequest& request);
    LinuxResult<void> wait_for_input(std::uint32_t flags, abi::Deadline deadline);
    LinuxResult<base::Ref<UnixEndpoint>> mailbox(const SocketAddress* to);
    void take_along(ReceiveRequest& request, UnixPacket& packet, bool peek);

    base::Ref<UnixEndpoint> endpoint_;
};

} // namespace personality
