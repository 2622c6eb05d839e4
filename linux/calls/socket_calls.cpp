// Making, naming and connecting sockets.
#include "linux/calls/socket_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/ipc/unix_socket.hpp"
#include "linux/net/inet_socket.hpp"
#include "linux/net/netlink_socket.hpp"
#include "linux/task/task.hpp"

#include <algorithm>
#include <utility>

namespace personality {

namespace {

// The type argument of socket and socketpair: the type, and flags for open.
LinuxResult<std::pair<std::uint32_t, std::uint32_t>> split_type(std::uint32_t argument) {
    const std::uint32_t flags = argument & ~socket_type::mask;
    if ((flags & ~(socket_type::close_on_exec | socket_type::nonblock)) != 0)
        return fail(Errno::EINVAL);
    return std::pair{argument & socket_type::mask, flags};
}

CallResult accept_connection(Task& task, const CallArguments& arguments, std::uint32_t flags) {
    if ((flags & ~(socket_type::close_on_exec | socket_type::nonblock)) != 0)
        return fail(Errno::EINVAL);
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    SocketAddress peer;
    CallResult number;
    {
        SandboxLock lock;
        base::Ref<File> accepted = TRY(socket->accept(peer, flags));
        number = install_file(task, std::move(accepted), (flags & socket_type::close_on_exec) != 0);
    }
    if (!number || arguments[1] == 0)
        return number;
    if (auto stored = store_socket_address(peer, arguments[1], arguments[2]); !stored) {
        SandboxLock lock;
        (void)files_of(task).close(static_cast<std::int32_t>(*number));
        return fail(stored.error());
    }
    return number;
}

CallResult give_address(Task& task, const CallArguments& arguments, LinuxResult<void> (Socket::*which)(SocketAddress&)) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    SocketAddress address;
    {
        SandboxLock lock;
        TRY(((*socket).*which)(address));
    }
    if (arguments[1] == 0)
        return fail(Errno::EFAULT);
    TRY(store_socket_address(address, arguments[1], arguments[2]));
    return std::uint64_t{0};
}

} // namespace

LinuxResult<base::Ref<File>> take_socket(Task& task, std::int32_t descriptor) {
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, descriptor));
    if (socket_of(*file) == nullptr)
        return fail(Errno::ENOTSOCK);
    return file;
}

LinuxResult<SocketAddress> load_socket_address(std::uint64_t address, std::int32_t length) {
    if (length < 0 || static_cast<std::size_t>(length) > SocketAddress::largest)
        return fail(Errno::EINVAL);
    SocketAddress result;
    result.length = static_cast<std::uint32_t>(length);
    TRY(copy_in(std::span(result.bytes).first(result.length), address));
    return result;
}

LinuxResult<void> store_socket_address(const SocketAddress& from, std::uint64_t address, std::uint64_t length_address) {
    if (address == 0)
        return {};
    const UserPtr<std::int32_t> length(length_address);
    const std::int32_t room = TRY(length.read());
    if (room < 0)
        return fail(Errno::EINVAL);
    TRY(copy_out(address, std::span(from.bytes).first(std::min(static_cast<std::uint32_t>(room), from.length))));
    return length.write(static_cast<std::int32_t>(from.length));
}

CallResult sys_socket(Task& task, const CallArguments& arguments) {
    const auto [type, flags] = TRY(split_type(arguments.u32(1)));
    const std::uint32_t protocol = arguments.u32(2);
    SandboxLock lock;
    base::Ref<File> file;
    switch (arguments.u32(0)) {
    case address_family::local: file = TRY(UnixSocket::make(type, protocol, flags)); break;
    case address_family::inet: file = TRY(InetSocket::make(type, protocol, flags, task.credentials.has(capability::net_raw))); break;
    case address_family::netlink: file = TRY(NetlinkSocket::make(type, protocol, flags)); break;
    default: return fail(Errno::EAFNOSUPPORT);
    }
    return install_file(task, std::move(file), (flags & socket_type::close_on_exec) != 0);
}

CallResult sys_socketpair(Task& task, const CallArguments& arguments) {
    const auto [type, flags] = TRY(split_type(arguments.u32(1)));
    if (arguments.u32(0) != address_family::local)
        return fail(arguments.u32(0) == address_family::inet ? Errno::EOPNOTSUPP : Errno::EAFNOSUPPORT);
    std::int32_t numbers[2];
    {
        SandboxLock lock;
        base::Ref<File> ends[2];
        TRY(UnixSocket::make_pair(type, arguments.u32(2), flags, ends));
        FdTable& files = files_of(task);
        const bool close_on_exec = (flags & socket_type::close_on_exec) != 0;
        numbers[0] = TRY(files.install(std::move(ends[0]), close_on_exec, descriptor_limit(task)));
        auto second = files.install(std::move(ends[1]), close_on_exec, descriptor_limit(task));
        if (!second) {
            (void)files.close(numbers[0]);
            return fail(second.error());
        }
        numbers[1] = *second;
    }
    if (auto copied = copy_out(arguments[3], std::as_bytes(std::span(numbers))); !copied) {
        SandboxLock lock;
        (void)files_of(task).close(numbers[0]);
        (void)files_of(task).close(numbers[1]);
        return fail(copied.error());
    }
    return std::uint64_t{0};
}

CallResult sys_bind(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const SocketAddress address = TRY(load_socket_address(arguments[1], arguments.i32(2)));
    SandboxLock lock;
    TRY(socket->bind(address));
    return std::uint64_t{0};
}

CallResult sys_connect(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const SocketAddress address = TRY(load_socket_address(arguments[1], arguments.i32(2)));
    SandboxLock lock;
    TRY(socket->connect(address));
    return std::uint64_t{0};
}

CallResult sys_listen(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    SandboxLock lock;
    TRY(socket->listen(arguments.i32(1)));
    return std::uint64_t{0};
}

CallResult sys_accept(Task& task, const CallArguments& arguments) { return accept_connection(task, arguments, 0); }
CallResult sys_accept4(Task& task, const CallArguments& arguments) { return accept_connection(task, arguments, arguments.u32(3)); }

CallResult sys_shutdown(Task& task, const CallArguments& arguments) {
    SocketHold socket(TRY(take_socket(task, arguments.i32(0))));
    const std::int32_t how = arguments.i32(1); // 0 reading, 1 writing, 2 both
    if (how < 0 || how > 2)
        return fail(Errno::EINVAL);
    SandboxLock lock;
    TRY(socket->shutdown(how != 1, how != 0));
    return std::uint64_t{0};
}

CallResult sys_getsockname(Task& task, const CallArguments& arguments) { return give_address(task, arguments, &Socket::local_address); }
CallResult sys_getpeername(Task& task, const CallArguments& arguments) { return give_address(task, arguments, &Socket::peer_address); }

} // namespace personality
