#include "linux/net/datagram_socket.hpp"

#include "lib/base/result.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>

namespace personality {

void DatagramSocket::deliver(net::Packet packet) {
    packet.arrived = monotonic_now();
    const std::size_t cost = packet.packet->tot_len + overhead;
    if (read_shut_ || used_ + cost > options_.receive_buffer || !received_.push(packet)) {
        pbuf_free(packet.packet);
        return;
    }
    used_ += cost;
    queue_.wake(poll_event::readable);
}

LinuxResult<InetAddress> DatagramSocket::destination(const SendRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EOPNOTSUPP);
    if (error_ != Errno{0})
        return fail(take_error());
    if (write_shut_)
        return fail(Errno::EPIPE);
    InetAddress to = peer_;
    if (request.to != nullptr && request.to->length != 0)
        to = TRY(inet_address(*request.to));
    else if (!connected_)
        return fail(Errno::EDESTADDRREQ);
    if (to.address == inet::any)
        to.address = inet::loopback;
    const net::InterfaceSettings* settings = net::interface_settings();
    const bool to_all = to.address == inet::broadcast || (settings != nullptr && to.address == (settings->address | ~settings->netmask));
    if (to_all && !options_.broadcast)
        return fail(Errno::EACCES);
    return to;
}

LinuxResult<std::size_t> DatagramSocket::receive(ReceiveRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EOPNOTSUPP);
    if ((request.flags & message_flag::error_queue) != 0)
        return fail(Errno::EAGAIN); // nothing is ever queued there
    const abi::Deadline deadline = receive_deadline();
    while (received_.empty()) {
        if (error_ != Errno{0})
            return fail(take_error());
        if (read_shut_)
            return std::size_t{0};
        if (!waits(request.flags))
            return fail(Errno::EAGAIN);
        TRY(wait_on(queue_, deadline));
    }
    const net::Packet& packet = received_.front();
    const std::size_t length = packet.packet->tot_len, count = std::min(length, request.data.size());
    if (count != 0)
        (void)pbuf_copy_partial(packet.packet, request.data.data(), static_cast<u16_t>(count), 0);
    request.full_length = length;
    if (count < length)
        request.result_flags |= message_flag::truncated;
    request.from = socket_address({packet.address, packet.port});
    request.destination = packet.destination;
    request.time_to_live = packet.ttl;
    if (options_.timestamp)
        request.arrived = static_cast<std::int64_t>(packet.arrived) + realtime_offset();
    if ((request.flags & message_flag::peek) == 0) {
        used_ -= length + overhead;
        received_.pop();
    }
    return count;
}

std::uint32_t DatagramSocket::poll() {
    std::uint32_t events = poll_event::writable;
    if (error_ != Errno{0})
        events |= poll_event::error | poll_event::readable;
    if (!received_.empty() || read_shut_)
        events |= poll_event::readable;
    if (read_shut_)
        events |= poll_event::read_hang_up | (write_shut_ ? poll_event::hang_up : 0);
    return events;
}

LinuxResult<void> DatagramSocket::shutdown(bool reading, bool writing) {
    if (!connected_)
        return fail(Errno::ENOTCONN);
    read_shut_ |= reading;
    write_shut_ |= writing;
    queue_.wake();
    return {};
}

LinuxResult<void> DatagramSocket::local_address(SocketAddress& address) {
    address = socket_address(local_);
    return {};
}

LinuxResult<void> DatagramSocket::peer_address(SocketAddress& address) {
    if (!connected_)
        return fail(Errno::ENOTCONN);
    address = socket_address(peer_);
    return {};
}

} // namespace personality
