// Names, connections and what lwIP tells about them.
#include "linux/net/tcp_socket.hpp"

#include "lwip/priv/tcp_priv.h"

#include "lib/base/result.hpp"
#include "linux/net/errors.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>
#include <new>

namespace personality {

using net::to_errno;

namespace {
constexpr std::uint32_t largest_backlog = 4096; // Linux' net.core.somaxconn
}

TcpSocket::TcpSocket(std::uint32_t open_flags) : InetSocket(address_family::inet, socket_type::stream, IP_PROTO_TCP, open_flags) {}

TcpSocket::~TcpSocket() {
    if (state_ == State::listening)
        stop_listening();
    if (pcb_ == nullptr)
        return;
    net::begin();
    tcp_pcb* pcb = pcb_;
    detach();
    // Unread data makes lwIP send a reset, as Linux does. Linger with no time drops what was not sent.
    if ((options_.linger && options_.linger_seconds == 0 && state_ != State::fresh) || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
    net::settle();
}

LinuxResult<tcp_pcb*> TcpSocket::need_pcb() {
    if (pcb_ == nullptr) {
        net::begin();
        pcb_ = tcp_new();
        if (pcb_ == nullptr)
            return fail(Errno::ENOBUFS);
        attach();
        options_changed();
    }
    return pcb_;
}

void TcpSocket::attach() {
    tcp_arg(pcb_, this);
    tcp_recv(pcb_, on_receive);
    tcp_sent(pcb_, on_sent);
    tcp_err(pcb_, on_error);
}

void TcpSocket::detach() {
    tcp_arg(pcb_, nullptr);
    tcp_recv(pcb_, nullptr);
    tcp_sent(pcb_, nullptr);
    tcp_err(pcb_, nullptr);
    pcb_ = nullptr;
}

void TcpSocket::note_addresses() {
    local_ = {pcb_->local_ip.addr, pcb_->local_port};
    if (state_ != State::listening)
        peer_ = {pcb_->remote_ip.addr, pcb_->remote_port};
}

void TcpSocket::adopt(tcp_pcb* pcb, const TcpSocket& listener) {
    pcb_ = pcb;
    state_ = State::connected;
    bound_ = true;
    options_ = listener.options_;
    no_delay_ = listener.no_delay_;
    keep_idle_ = listener.keep_idle_;
    keep_interval_ = listener.keep_interval_;
    keep_count_ = listener.keep_count_;
    time_to_live_ = listener.time_to_live_;
    attach();
    options_changed();
    note_addresses();
}

LinuxResult<void> TcpSocket::bind(const SocketAddress& address) {
    InetAddress wanted;
    if (address.length >= 16 && address.family() == address_family::unspecified) { // allowed for the wildcard, as Linux does
        std::memcpy(&wanted.address, address.bytes.data() + 4, sizeof wanted.address);
        if (wanted.address != inet::any)
            return fail(Errno::EAFNOSUPPORT);
        std::memcpy(&wanted.port, address.bytes.data() + 2, sizeof wanted.port);
        wanted.port = __builtin_bswap16(wanted.port);
    } else {
        wanted = TRY(inet_address(address));
    }
    if (bound_ || state_ != State::fresh)
        return fail(Errno::EINVAL);
    TRY(check_local(wanted.address));
    TRY(need_pcb());
    const ip_addr_t ip{wanted.address};
    if (const err_t error = tcp_bind(pcb_, &ip, wanted.port); error != ERR_OK)
        return fail(to_errno(error));
    bound_ = true;
    note_addresses();
    return {};
}

LinuxResult<void> TcpSocket::listen(int backlog) {
    const std::uint32_t wanted = backlog < 0 ? largest_backlog : std::min(static_cast<std::uint32_t>(backlog), largest_backlog);
    if (state_ == State::listening) {
        backlog_ = wanted;
        return {};
    }
    if (state_ != State::fresh)
        return fail(Errno::EINVAL);
    TRY(need_pcb());
    if (!bound_) {
        if (const err_t error = tcp_bind(pcb_, IP4_ADDR_ANY, 0); error != ERR_OK)
            return fail(to_errno(error));
        bound_ = true;
    }
    err_t error = ERR_OK;
    // The limit of lwIP is for handshakes under way; that for connections not yet accepted is backlog_full's.
    tcp_pcb* listener = tcp_listen_with_backlog_and_err(pcb_, TCP_DEFAULT_LISTEN_BACKLOG, &error);
    if (listener != nullptr) {
        pcb_ = listener; // the former is freed
        tcp_arg(pcb_, this);
        tcp_accept(pcb_, on_accept);
        state_ = State::listening;
        note_addresses();
    } else if (error == ERR_USE && options_.reuse_port) {
        TRY(share_listener());
    } else {
        return fail(to_errno(error));
    }
    backlog_ = wanted;
    queue_.wake();
    return {};
}

LinuxResult<void> TcpSocket::share_listener() {
    for (tcp_pcb_listen* pcb = tcp_listen_pcbs.listen_pcbs; pcb != nullptr; pcb = pcb->next) {
        auto* owner = static_cast<TcpSocket*>(pcb->callback_arg);
        if (owner == nullptr || pcb->local_port != local_.port || pcb->local_ip.addr != local_.address || !owner->options_.reuse_port)
            continue;
        tcp_pcb* own = pcb_;
        detach();
        (void)tcp_close(own); // was only bound
        owner_ = owner;
        owner->sharers_.push_back(*this);
        state_ = State::listening;
        return {};
    }
    return fail(Errno::EADDRINUSE);
}

bool TcpSocket::backlog_full() const {
    if (!full())
        return false;
    for (const TcpSocket& sharer : const_cast<TcpSocket*>(this)->sharers_)
        if (!sharer.full())
            return false;
    return true;
}

// The listening pcb goes first, so that nothing new comes while the connections that nobody will accept are reset.
void TcpSocket::stop_listening() {
    net::begin();
    if (owner_ != nullptr) {
        owner_->sharers_.remove(*this);
        owner_ = nullptr;
    } else if (TcpSocket* heir = sharers_.pop_front(); heir != nullptr) {
        heir->owner_ = nullptr;
        heir->pcb_ = pcb_;
        tcp_arg(pcb_, heir);
        while (TcpSocket* other = sharers_.pop_front()) {
            other->owner_ = heir;
            heir->sharers_.push_back(*other);
        }
    } else {
        tcp_arg(pcb_, nullptr);
        (void)tcp_close(pcb_);
    }
    pcb_ = nullptr;
    state_ = State::fresh;
    bound_ = false;
    while (TcpSocket* waiting = pending_.pop_front()) {
        if (waiting->pcb_ != nullptr) {
            tcp_pcb* pcb = waiting->pcb_;
            waiting->detach();
            tcp_abort(pcb);
        }
        (void)base::Ref<TcpSocket>::adopt(*waiting);
    }
    pending_count_ = 0;
    net::settle();
}

err_t TcpSocket::on_accept(void* self, tcp_pcb* pcb, err_t error) {
    auto* listener = static_cast<TcpSocket*>(self);
    if (error != ERR_OK || pcb == nullptr || listener == nullptr)
        return ERR_VAL;
    if (!listener->sharers_.empty()) // whoever has waited longest, by number of connections
        for (TcpSocket& sharer : listener->sharers_)
            if (sharer.pending_count_ < listener->pending_count_ || (sharer.pending_count_ == listener->pending_count_ && sharer.given_ < listener->given_))
                listener = &sharer;
    ++listener->given_;
    auto* socket = new (std::nothrow) TcpSocket(0);
    if (socket == nullptr)
        return ERR_MEM; // lwIP resets the connection
    socket->adopt(pcb, *listener);
    listener->pending_.push_back(*socket);
    ++listener->pending_count_;
    listener->queue_.wake(poll_event::readable);
    return ERR_OK;
}

LinuxResult<base::Ref<File>> TcpSocket::accept(SocketAddress& peer, std::uint32_t open_flags) {
    if (state_ != State::listening)
        return fail(Errno::EINVAL);
    const abi::Deadline deadline = receive_deadline();
    while (pending_.empty()) {
        if (!waits(0))
            return fail(Errno::EAGAIN);
        TRY(wait_on(queue_, deadline));
        if (state_ != State::listening)
            return fail(Errno::EINVAL);
    }
    auto accepted = base::Ref<TcpSocket>::adopt(*pending_.pop_front());
    --pending_count_;
    accepted->flags |= open_flags & open_flag::nonblock;
    peer = socket_address(accepted->peer_);
    return base::Ref<File>(std::move(accepted));
}

// AF_UNSPEC: the association ends, the socket is as new.
void TcpSocket::disconnect() {
    if (pcb_ != nullptr) {
        net::begin();
        tcp_pcb* pcb = pcb_;
        detach();
        tcp_abort(pcb);
    }
    state_ = State::fresh;
    bound_ = end_of_input_ = read_shut_ = write_shut_ = reset_ = false;
    local_ = peer_ = {};
    received_.clear();
    offset_ = bytes_ = 0;
    net::settle();
    queue_.wake();
}

LinuxResult<void> TcpSocket::connect(const SocketAddress& address) {
    if (address.length >= 2 && address.family() == address_family::unspecified) {
        if (state_ != State::listening)
            disconnect();
        return {};
    }
    InetAddress wanted = TRY(inet_address(address));
    if (state_ == State::connected || state_ == State::listening)
        return fail(Errno::EISCONN);
    if (state_ == State::ended)
        return fail(error_ != Errno{0} ? take_error() : Errno::EISCONN);
    if (state_ == State::connecting && !waits(0))
        return fail(Errno::EALREADY);
    if (state_ == State::fresh) {
        if (error_ != Errno{0})
            return fail(take_error()); // of the attempt before
        if (wanted.address == inet::any)
            wanted.address = inet::loopback;
        if (wanted.address == inet::broadcast || inet::is_multicast(wanted.address))
            return fail(Errno::ENETUNREACH);
        TRY(need_pcb());
        net::begin();
        const ip_addr_t ip{wanted.address};
        state_ = State::connecting;
        if (const err_t error = tcp_connect(pcb_, &ip, wanted.port, on_connected); error != ERR_OK) {
            state_ = State::fresh;
            return fail(error == ERR_USE || error == ERR_BUF ? Errno::EADDRNOTAVAIL : to_errno(error));
        }
        bound_ = true;
        note_addresses();
        net::settle();
        if (!waits(0))
            return fail(Errno::EINPROGRESS); // also where the answer is there already: programs expect to poll
    }
    const abi::Deadline deadline = send_deadline();
    while (state_ == State::connecting)
        if (auto slept = wait_on(queue_, deadline); !slept)
            return fail(slept.error() == Errno::EAGAIN ? Errno::EINPROGRESS : slept.error());
    if (error_ != Errno{0})
        return fail(take_error());
    return {};
}

err_t TcpSocket::on_connected(void* self, tcp_pcb*, err_t) {
    auto* socket = static_cast<TcpSocket*>(self);
    if (socket == nullptr)
        return ERR_OK;
    socket->state_ = State::connected;
    socket->note_addresses();
    socket->queue_.wake(poll_event::writable);
    return ERR_OK;
}

void TcpSocket::on_error(void* self, err_t error) {
    auto* socket = static_cast<TcpSocket*>(self);
    if (socket == nullptr)
        return;
    socket->pcb_ = nullptr; // lwIP has freed it, or is about to
    const bool connecting = socket->state_ == State::connecting;
    if (error != ERR_CLSD)
        socket->error_ = connecting && error == ERR_RST ? Errno::ECONNREFUSED : to_errno(error);
    socket->state_ = connecting ? State::fresh : State::ended; // a program may try again to connect
    if (connecting)
        socket->bound_ = false;
    else
        socket->reset_ = true;
    socket->queue_.wake();
}

LinuxResult<void> TcpSocket::shutdown(bool reading, bool writing) {
    if (state_ == State::listening) {
        if (!reading)
            return {};
        stop_listening(); // who waits in accept gets EINVAL
        queue_.wake();
        return {};
    }
    if (state_ != State::connected)
        return fail(Errno::ENOTCONN);
    read_shut_ |= reading;
    if (writing && !write_shut_) {
        write_shut_ = true;
        net::begin();
        tcp_pcb* pcb = pcb_;
        if (end_of_input_) { // both ends are done: the connection needs no program any more
            detach();
            state_ = State::ended;
        }
        if (tcp_shutdown(pcb, 0, 1) != ERR_OK) {
            if (pcb_ != nullptr)
                detach();
            tcp_abort(pcb);
            state_ = State::ended;
        }
        net::settle();
    }
    queue_.wake();
    return {};
}

LinuxResult<void> TcpSocket::local_address(SocketAddress& address) {
    address = socket_address(local_);
    return {};
}

LinuxResult<void> TcpSocket::peer_address(SocketAddress& address) {
    if (state_ != State::connected)
        return fail(Errno::ENOTCONN);
    address = socket_address(peer_);
    return {};
}

} // namespace personality
