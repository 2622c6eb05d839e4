// Sending, receiving and readiness of TCP sockets.
#include "linux/net/tcp_socket.hpp"

#include "lwip/priv/tcp_priv.h"

#include "lib/base/result.hpp"
#include "linux/net/errors.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>

namespace personality {

namespace {
constexpr std::size_t largest_write = 4 * TCP_MSS;  // tcp_write takes 16 bits of length
constexpr std::uint32_t reserve = 64;               // of segment places, so that one write always fits
constexpr std::size_t many_packets = 512;           // small ones are put together from here on
} // namespace

// --- sending

std::size_t TcpSocket::send_space() const {
    if (pcb_ == nullptr || tcp_sndqueuelen(pcb_) + reserve > TCP_SND_QUEUELEN)
        return 0;
    return pcb_->snd_buf; // tcp_sndbuf() tells 16 bits of it
}

err_t TcpSocket::on_sent(void* self, tcp_pcb*, u16_t) {
    auto* socket = static_cast<TcpSocket*>(self);
    if (socket == nullptr || !socket->wants_space_ || socket->send_space() < TCP_SND_BUF / 3)
        return ERR_OK;
    socket->wants_space_ = false;
    socket->queue_.wake(poll_event::writable);
    return ERR_OK;
}

LinuxResult<std::size_t> TcpSocket::send(SendRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EOPNOTSUPP);
    const abi::Deadline deadline = send_deadline();
    std::size_t done = 0;
    const auto stopped = [&](Errno error) -> LinuxResult<std::size_t> {
        if (done != 0)
            return done;
        return fail(error);
    };
    while (state_ == State::connecting) {
        if (!waits(request.flags))
            return fail(Errno::EAGAIN);
        TRY(wait_on(queue_, deadline));
    }
    do {
        if (error_ != Errno{0})
            return done != 0 ? stopped(Errno::EPIPE) : stopped(take_error());
        if (state_ != State::connected || write_shut_ || pcb_ == nullptr)
            return stopped(Errno::EPIPE);
        if (done == request.data.size())
            break;
        const std::size_t space = send_space();
        if (space == 0) {
            wants_space_ = true;
            if (!waits(request.flags))
                return stopped(Errno::EAGAIN);
            if (auto slept = wait_on(queue_, deadline); !slept)
                return stopped(slept.error());
            continue;
        }
        const std::size_t count = std::min({space, request.data.size() - done, largest_write});
        const bool more = done + count < request.data.size() || (request.flags & message_flag::more) != 0 || cork_;
        net::begin();
        const err_t error = tcp_write(pcb_, request.data.data() + done, static_cast<u16_t>(count),
                                      static_cast<u8_t>(TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0)));
        if (error != ERR_OK)
            return stopped(error == ERR_MEM ? Errno::ENOBUFS : net::to_errno(error));
        done += count;
        (void)tcp_output(pcb_);
        net::settle();
    } while (done < request.data.size());
    return done;
}

// --- receiving

err_t TcpSocket::on_receive(void* self, tcp_pcb* pcb, pbuf* data, err_t) {
    auto* socket = static_cast<TcpSocket*>(self);
    if (data == nullptr) {
        socket->end_of_input_ = true;
        if (socket->write_shut_) { // both ends are done: lwIP forgets such connections without a word
            socket->detach();
            socket->state_ = State::ended;
        }
        socket->queue_.wake(poll_event::readable | poll_event::read_hang_up);
        return ERR_OK;
    }
    if (socket->received_.size() >= many_packets)
        socket->compact();
    if (!socket->received_.push({.packet = data}))
        return ERR_MEM; // lwIP keeps it and offers it again
    (void)pcb;
    socket->bytes_ += data->tot_len;
    socket->queue_.wake(poll_event::readable);
    return ERR_OK;
}

// Small segments waste the memory of their headers: what a peer sends in single bytes is put together.
void TcpSocket::compact() {
    if (bytes_ > UINT16_MAX)
        return;
    pbuf* whole = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes_), PBUF_RAM);
    if (whole == nullptr)
        return;
    (void)copy_queued({static_cast<std::byte*>(whole->payload), bytes_});
    received_.clear();
    offset_ = 0;
    (void)received_.push({.packet = whole}); // the queue has room: it was not empty
}

std::size_t TcpSocket::copy_queued(std::span<std::byte> to) {
    std::size_t done = 0, offset = offset_;
    for (std::size_t i = 0; i < received_.size() && done < to.size(); ++i) {
        const pbuf* packet = received_.at(i).packet;
        const std::size_t count = std::min(packet->tot_len - offset, to.size() - done);
        (void)pbuf_copy_partial(packet, to.data() + done, static_cast<u16_t>(count), static_cast<u16_t>(offset));
        done += count;
        offset = 0;
    }
    return done;
}

void TcpSocket::consume(std::size_t count) {
    bytes_ -= count;
    for (std::size_t left = count; left != 0;) {
        const std::size_t here = std::min<std::size_t>(received_.front().packet->tot_len - offset_, left);
        left -= here;
        offset_ += here;
        if (offset_ == received_.front().packet->tot_len) {
            received_.pop();
            offset_ = 0;
        }
    }
    net::begin();
    while (count != 0 && pcb_ != nullptr) {
        const auto part = static_cast<u16_t>(std::min<std::size_t>(count, 32768));
        tcp_recved(pcb_, part);
        count -= part;
    }
}

// The program wants more before it answers anything: a delayed acknowledgement would only hold back a peer that sends small pieces (Nagle's rule).
void TcpSocket::acknowledge() {
    if (pcb_ == nullptr || state_ != State::connected || (pcb_->flags & TF_ACK_DELAY) == 0)
        return;
    net::begin();
    tcp_ack_now(pcb_);
    (void)tcp_output(pcb_);
    net::settle();
}

LinuxResult<std::size_t> TcpSocket::receive(ReceiveRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EINVAL); // none is there
    if ((request.flags & message_flag::error_queue) != 0)
        return fail(Errno::EAGAIN);
    const bool peek = (request.flags & message_flag::peek) != 0, wait_all = (request.flags & message_flag::wait_all) != 0;
    const abi::Deadline deadline = receive_deadline();
    std::size_t done = 0;
    if (state_ == State::listening || (state_ == State::fresh && error_ == Errno{0}))
        return fail(Errno::ENOTCONN);
    while (done < request.data.size()) {
        if (bytes_ == 0)
            acknowledge();
        if (bytes_ != 0) {
            const std::size_t count = copy_queued(request.data.subspan(done));
            done += count;
            if (peek)
                break;
            consume(count);
            net::settle(); // the window's update, and what the other end sends into it
            if (!wait_all)
                break;
            continue;
        }
        if (done != 0 && (error_ != Errno{0} || !wait_all))
            break;
        if (error_ != Errno{0})
            return fail(take_error());
        if (end_of_input_ || read_shut_ || state_ == State::ended || state_ == State::fresh)
            break;
        if (!waits(request.flags)) {
            if (done != 0)
                break;
            return fail(Errno::EAGAIN);
        }
        if (auto slept = wait_on(queue_, deadline); !slept) {
            if (done != 0)
                break;
            return fail(slept.error());
        }
    }
    request.full_length = done;
    return done;
}

// --- readiness (as Linux' tcp_poll)

std::uint32_t TcpSocket::poll() {
    if (bytes_ == 0)
        acknowledge();
    std::uint32_t events = error_ != Errno{0} ? poll_event::error : 0;
    switch (state_) {
    case State::listening: return pending_.empty() ? events : events | poll_event::readable;
    case State::connecting: return events;
    case State::fresh: return events | poll_event::writable | poll_event::hang_up | (error_ != Errno{0} ? poll_event::readable : 0);
    case State::ended: return events | poll_event::readable | poll_event::writable | poll_event::read_hang_up | poll_event::hang_up;
    case State::connected: break;
    }
    if (bytes_ != 0 || end_of_input_ || read_shut_)
        events |= poll_event::readable;
    if (end_of_input_ || read_shut_)
        events |= poll_event::read_hang_up;
    if (write_shut_ || send_space() >= TCP_SND_BUF / 3)
        events |= poll_event::writable;
    else
        wants_space_ = true;
    if (read_shut_ && write_shut_)
        events |= poll_event::hang_up;
    return events;
}

} // namespace personality
