// Names and connections of AF_UNIX sockets.
#include "linux/ipc/unix_socket.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/current.hpp"
#include "linux/fs/operations.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {

constexpr std::uint32_t path_offset = 2, longest = 110; // struct sockaddr_un
std::uint32_t last_automatic = 0;

bool abstract(const SocketAddress& address) { return address.length > path_offset && address.bytes[path_offset] == std::byte{0}; }

std::string_view path_of(const SocketAddress& address) {
    const char* path = reinterpret_cast<const char*>(address.bytes.data()) + path_offset;
    return {path, strnlen(path, address.length - path_offset)};
}

LinuxResult<void> check(const SocketAddress& address) {
    if (address.length < path_offset || address.length > longest || address.family() != address_family::local)
        return fail(Errno::EINVAL);
    return {};
}

// The socket's inode's attachment.
LinuxResult<SocketName*> named(const SocketAddress& address) {
    const PathContext context = current_path_context();
    const Location found = TRY(walk_path(context, context.current, path_of(address), walk_flag::follow));
    TRY(check_permission(*found.inode(), context.who, permission::write));
    if (found.inode()->type() != mode::socket || !found.inode()->attachment)
        return fail(Errno::ECONNREFUSED);
    return static_cast<SocketName*>(found.inode()->attachment.get());
}

SocketAddress only_family() {
    SocketAddress address;
    const std::uint16_t family = address_family::local;
    std::memcpy(address.bytes.data(), &family, sizeof family);
    address.length = sizeof family;
    return address;
}

} // namespace

UnixSocket::UnixSocket(base::Ref<UnixEndpoint> endpoint, std::uint32_t open_flags)
    : Socket(address_family::local, endpoint->type, 0, open_flags), endpoint_(std::move(endpoint)) {
    endpoint_->credentials = current_unix_credentials();
}

LinuxResult<base::Ref<File>> UnixSocket::make(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags) {
    if (protocol != 0 && protocol != address_family::local)
        return fail(Errno::EPROTONOSUPPORT);
    if (type == socket_type::raw)
        type = socket_type::datagram; // as Linux does
    if (type != socket_type::stream && type != socket_type::datagram && type != socket_type::sequential)
        return fail(Errno::ESOCKTNOSUPPORT);
    auto* endpoint = new (std::nothrow) UnixEndpoint(type);
    if (endpoint == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<UnixEndpoint>::adopt(*endpoint);
    auto* socket = new (std::nothrow) UnixSocket(std::move(reference), open_flags);
    if (socket == nullptr)
        return fail(Errno::ENOMEM);
    return base::Ref<File>::adopt(*socket);
}

LinuxResult<void> UnixSocket::make_pair(std::uint32_t type, std::uint32_t protocol, std::uint32_t open_flags, base::Ref<File> ends[2]) {
    ends[0] = TRY(make(type, protocol, open_flags));
    ends[1] = TRY(make(type, protocol, open_flags));
    static_cast<UnixSocket&>(*ends[0]).endpoint().connect_pair(static_cast<UnixSocket&>(*ends[1]).endpoint());
    return {};
}

LinuxResult<void> UnixSocket::bind(const SocketAddress& address) {
    TRY(check(address));
    if (endpoint_->name.length != 0)
        return fail(Errno::EINVAL);
    if (address.length == path_offset) { // a name of the system's choice: five hexadecimal digits
        SocketAddress chosen = address;
        chosen.length = path_offset + 6;
        do {
            ++last_automatic;
            for (std::size_t i = 0; i < 5; ++i)
                chosen.bytes[path_offset + 1 + i] = static_cast<std::byte>("0123456789abcdef"[(last_automatic >> (16 - 4 * i)) & 15]);
        } while (find_abstract(chosen) != nullptr);
        endpoint_->name = chosen;
        add_abstract(*endpoint_);
        return {};
    }
    if (abstract(address)) {
        if (find_abstract(address) != nullptr)
            return fail(Errno::EADDRINUSE);
        endpoint_->name = address;
        add_abstract(*endpoint_);
        return {};
    }
    auto* binding = new (std::nothrow) UnixBinding(*endpoint_);
    if (binding == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<InodeAttachment>::adopt(*binding);
    const PathContext context = current_path_context();
    const std::string_view path = path_of(address);
    auto made = make_node(context, context.current, path, {mode::socket | (0777 & ~current_umask()), 0, 0});
    if (!made)
        return fail(made.error() == Errno::EEXIST ? Errno::EADDRINUSE : made.error());
    const Location location = TRY(walk_path(context, context.current, path, 0));
    location.inode()->attachment = std::move(reference);
    endpoint_->binding = binding;
    endpoint_->name = address;
    endpoint_->name.length = static_cast<std::uint32_t>(path_offset + path.size() + 1);
    return {};
}

LinuxResult<void> UnixSocket::listen(int backlog) {
    if (!endpoint_->keeps_connections())
        return fail(Errno::EOPNOTSUPP);
    if (endpoint_->name.length == 0 || endpoint_->connected)
        return fail(Errno::EINVAL);
    endpoint_->listening = true;
    endpoint_->backlog = backlog < 0 || backlog > 4096 ? 4096 : static_cast<std::uint32_t>(backlog);
    endpoint_->credentials = current_unix_credentials();
    endpoint_->queue.wake();
    return {};
}

LinuxResult<base::Ref<File>> UnixSocket::accept(SocketAddress& peer, std::uint32_t open_flags) {
    if (!endpoint_->keeps_connections())
        return fail(Errno::EOPNOTSUPP);
    if (!endpoint_->listening)
        return fail(Errno::EINVAL);
    const abi::Deadline deadline = receive_deadline();
    while (endpoint_->pending.empty()) {
        if (endpoint_->read_shut)
            return fail(Errno::EINVAL);
        if (!waits(0))
            return fail(Errno::EAGAIN);
        TRY(wait_on(endpoint_->queue, deadline));
    }
    auto accepted = base::Ref<UnixEndpoint>::adopt(*endpoint_->pending.pop_front());
    --endpoint_->pending_count;
    endpoint_->queue.wake(poll_event::writable);
    peer = accepted->peer_name.length != 0 ? accepted->peer_name : only_family();
    const UnixCredentials of_listener = accepted->credentials;
    auto* socket = new (std::nothrow) UnixSocket(accepted, open_flags);
    if (socket == nullptr) {
        accepted->close();
        return fail(Errno::ENOMEM);
    }
    accepted->credentials = of_listener;
    return base::Ref<File>::adopt(*socket);
}

LinuxResult<void> UnixSocket::connect(const SocketAddress& address) {
    if (!endpoint_->keeps_connections() && address.family() == address_family::unspecified) {
        endpoint_->peer = nullptr;
        endpoint_->connected = false;
        endpoint_->peer_name = {};
        return {};
    }
    TRY(check(address));
    if (address.length == path_offset)
        return fail(Errno::EINVAL);
    if (!endpoint_->keeps_connections()) {
        base::Ref<UnixEndpoint> target = TRY(mailbox(&address));
        endpoint_->peer_name = target->name;
        endpoint_->peer = std::move(target);
        endpoint_->connected = true;
        endpoint_->queue.wake();
        return {};
    }
    if (endpoint_->listening)
        return fail(Errno::EINVAL);
    if (endpoint_->connected)
        return fail(Errno::EISCONN);
    const base::Ref<UnixEndpoint> keep(endpoint_);
    endpoint_->credentials = current_unix_credentials();
    if (abstract(address)) {
        UnixEndpoint* listener = find_abstract(address);
        if (listener == nullptr)
            return fail(Errno::ECONNREFUSED);
        return connect_to_listener(endpoint_, base::Ref<UnixEndpoint>(*listener), waits(0), send_deadline());
    }
    SocketName* name = TRY(named(address));
    const base::Ref<SocketName> held(*name);
    return held->connect(endpoint_, waits(0), send_deadline());
}

// Where a datagram goes: to the address, else to the connected peer.
LinuxResult<base::Ref<UnixEndpoint>> UnixSocket::mailbox(const SocketAddress* to) {
    base::Ref<UnixEndpoint> target;
    if (to == nullptr) {
        if (!endpoint_->connected)
            return fail(Errno::ENOTCONN);
        target = endpoint_->peer;
        if (!target || target->closed) {
            endpoint_->peer = nullptr;
            endpoint_->connected = false;
            return fail(Errno::ECONNREFUSED);
        }
        return target;
    }
    TRY(check(*to));
    if (to->length == path_offset)
        return fail(Errno::EINVAL);
    if (abstract(*to)) {
        UnixEndpoint* found = find_abstract(*to);
        if (found == nullptr)
            return fail(Errno::ECONNREFUSED);
        target = base::Ref<UnixEndpoint>(*found);
    } else {
        SocketName* name = TRY(named(*to));
        target = name->mailbox();
        if (!target)
            return fail(static_cast<UnixBinding*>(name)->endpoint != nullptr ? Errno::EPROTOTYPE : Errno::ECONNREFUSED);
    }
    if (target->type != endpoint_->type)
        return fail(Errno::EPROTOTYPE);
    if (target->peer && target->peer.get() != endpoint_.get())
        return fail(Errno::EPERM);
    return target;
}

LinuxResult<void> UnixSocket::shutdown(bool reading, bool writing) {
    if (endpoint_->keeps_connections() && !endpoint_->connected && !endpoint_->listening)
        return fail(Errno::ENOTCONN);
    endpoint_->read_shut |= reading;
    endpoint_->write_shut |= writing;
    if (endpoint_->keeps_connections() && endpoint_->peer) {
        endpoint_->peer->write_shut |= reading; // the peer's writes would go nowhere: EPIPE
        endpoint_->peer->read_shut |= writing;
    }
    endpoint_->wake_both(0);
    return {};
}

LinuxResult<void> UnixSocket::local_address(SocketAddress& address) {
    address = endpoint_->name.length != 0 ? endpoint_->name : only_family();
    return {};
}

LinuxResult<void> UnixSocket::peer_address(SocketAddress& address) {
    if (!endpoint_->connected)
        return fail(Errno::ENOTCONN);
    address = endpoint_->peer_name.length != 0 ? endpoint_->peer_name : only_family();
    return {};
}

LinuxResult<std::size_t> UnixSocket::get_option(int level, int name, std::span<std::byte> value) {
    if (level == socket_level::socket && name == socket_option::peer_credentials) {
        const UnixCredentials peer = endpoint_->connected ? endpoint_->peer_credentials : UnixCredentials{0, UINT32_MAX, UINT32_MAX};
        const std::size_t count = std::min(value.size(), sizeof peer);
        std::memcpy(value.data(), &peer, count);
        return count;
    }
    return Socket::get_option(level, name, value);
}

std::uint32_t UnixSocket::poll() {
    UnixEndpoint& own = *endpoint_;
    std::uint32_t events = own.error != Errno{0} ? poll_event::error : 0;
    if (own.listening)
        return own.pending.empty() ? events : events | poll_event::readable;
    if (!own.packets.empty() || own.end_of_input())
        events |= poll_event::readable;
    if (own.keeps_connections()) {
        if (own.end_of_input())
            events |= poll_event::read_hang_up;
        if (!own.connected || own.peer_closed() || (own.read_shut && own.write_shut))
            events |= poll_event::hang_up;
        if (!own.connected || own.peer_closed() || own.write_shut || own.peer->used * 4 <= own.peer->limit)
            events |= poll_event::writable;
    } else if (!own.peer || own.peer->closed || own.peer->room_for(1)) {
        events |= poll_event::writable;
    }
    return events;
}

} // namespace personality
