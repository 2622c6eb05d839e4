// What the handlers for sockets share.
#pragma once
#include "linux/calls/file_support.hpp"
#include "linux/ipc/socket.hpp"

namespace personality {

// A descriptor that is a socket, kept for the length of a call. Errors: EBADF, ENOTSOCK.
class SocketHold {
public:
    explicit SocketHold(base::Ref<File> file) : hold_(std::move(file)) {}
    Socket& operator*() const { return static_cast<Socket&>(*hold_); }
    Socket* operator->() const { return &**this; }

private:
    FileHold hold_;
};
LinuxResult<base::Ref<File>> take_socket(Task& task, std::int32_t descriptor);

// struct sockaddr of `length` bytes at `address`. Errors: EINVAL, EFAULT. Lock not held.
LinuxResult<SocketAddress> load_socket_address(std::uint64_t address, std::int32_t length);
// Gives a socket address out, cut to what the caller's buffer takes; its true length goes to `length_address`. Nothing where `address` is null.
LinuxResult<void> store_socket_address(const SocketAddress& from, std::uint64_t address, std::uint64_t length_address);

} // namespace personality
