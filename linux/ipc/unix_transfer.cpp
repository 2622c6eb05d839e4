// Sending and receiving on AF_UNIX sockets.
#include "linux/ipc/unix_socket.hpp"

#include "lib/base/result.hpp"

#include <algorithm>

namespace personality {

namespace {

constexpr std::size_t least_packet = 2048; // so that small writes gather in one piece

void fill(UnixPacket& packet, std::span<const std::byte> bytes) {
    std::memcpy(packet.bytes() + packet.size, bytes.data(), bytes.size());
    packet.size += bytes.size();
}

bool same(const UnixCredentials& a, const UnixCredentials& b) { return a.process == b.process && a.user == b.user && a.group == b.group; }

} // namespace

LinuxResult<std::size_t> UnixSocket::send(SendRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EOPNOTSUPP);
    if (!request.has_credentials)
        request.credentials = current_unix_credentials();
    return endpoint_->stream() ? send_stream(request) : send_message(request);
}

LinuxResult<std::size_t> UnixSocket::send_stream(SendRequest& request) {
    const base::Ref<UnixEndpoint> own(endpoint_);
    if (request.to != nullptr)
        return fail(own->connected ? Errno::EISCONN : Errno::EOPNOTSUPP);
    if (!own->connected)
        return fail(Errno::ENOTCONN);
    const abi::Deadline deadline = send_deadline();
    std::size_t done = 0;
    while (done < request.data.size()) {
        if (own->write_shut || own->peer_closed()) {
            if (done != 0)
                break;
            return fail(Errno::EPIPE);
        }
        UnixEndpoint& peer = *own->peer;
        const std::size_t free = peer.limit > peer.used ? peer.limit - peer.used : 0;
        if (free == 0) {
            if (!waits(request.flags)) {
                if (done != 0)
                    break;
                return fail(Errno::EAGAIN);
            }
            if (auto slept = wait_on(own->queue, deadline); !slept) {
                if (done != 0)
                    break;
                return fail(slept.error());
            }
            continue;
        }
        std::span<const std::byte> part = request.data.subspan(done, std::min<std::size_t>({free, request.data.size() - done, 32768}));
        UnixPacket* tail = peer.packets.empty() ? nullptr : &peer.packets.back();
        if (tail != nullptr && tail->size < tail->capacity && request.files.size() == 0 && same(tail->credentials, request.credentials)) {
            part = part.first(std::min(part.size(), tail->capacity - tail->size));
            fill(*tail, part);
            peer.used += part.size();
            peer.queue.wake(poll_event::readable);
        } else {
            UnixPacket* packet = UnixPacket::make(std::max(part.size(), least_packet));
            if (packet == nullptr) {
                if (done != 0)
                    break;
                return fail(Errno::ENOBUFS);
            }
            fill(*packet, part);
            packet->credentials = request.credentials;
            packet->files = std::move(request.files);
            request.files.clear();
            peer.deliver(packet);
        }
        done += part.size();
    }
    return done;
}

LinuxResult<std::size_t> UnixSocket::send_message(SendRequest& request) {
    const base::Ref<UnixEndpoint> own(endpoint_);
    if (own->keeps_connections() && request.to != nullptr && request.to->length != 0 && own->connected)
        return fail(Errno::EISCONN);
    if (request.data.size() > own->limit - 32)
        return fail(Errno::EMSGSIZE);
    const abi::Deadline deadline = send_deadline();
    base::Ref<UnixEndpoint> target;
    if (!own->keeps_connections())
        target = TRY(mailbox(request.to != nullptr && request.to->length != 0 ? request.to : nullptr));
    for (;;) {
        if (own->write_shut)
            return fail(Errno::EPIPE);
        if (own->keeps_connections()) {
            if (!own->connected)
                return fail(Errno::ENOTCONN);
            if (own->peer_closed())
                return fail(Errno::EPIPE);
            target = own->peer;
        } else if (target->closed) {
            return fail(Errno::ECONNREFUSED);
        } else if (target->read_shut) {
            return fail(Errno::EPIPE);
        }
        if (target->room_for(request.data.size()))
            break;
        if (!waits(request.flags))
            return fail(Errno::EAGAIN);
        TRY(wait_on(target->queue, deadline));
    }
    UnixPacket* packet = UnixPacket::make(request.data.size());
    if (packet == nullptr)
        return fail(Errno::ENOBUFS);
    if (!request.data.empty())
        fill(*packet, request.data);
    packet->credentials = request.credentials;
    packet->files = std::move(request.files);
    request.files.clear();
    if (!own->keeps_connections())
        packet->from = own->name;
    target->deliver(packet);
    return request.data.size();
}

LinuxResult<void> UnixSocket::wait_for_input(std::uint32_t flags, abi::Deadline deadline) {
    UnixEndpoint& own = *endpoint_;
    while (own.packets.empty()) {
        if (own.error != Errno{0})
            return fail(take_error());
        if (own.end_of_input())
            return {};
        if (own.keeps_connections() && !own.connected)
            return fail(own.stream() ? Errno::EINVAL : Errno::ENOTCONN);
        if (!waits(flags))
            return fail(Errno::EAGAIN);
        TRY(wait_on(own.queue, deadline));
    }
    return {};
}

// Files and credentials of a packet.
void UnixSocket::take_along(ReceiveRequest& request, UnixPacket& packet, bool peek) {
    if (options_.pass_credentials) {
        request.has_credentials = true;
        request.credentials = packet.credentials;
    }
    if (packet.files.size() == 0)
        return;
    if (peek) {
        for (std::size_t i = 0; i < packet.files.size(); ++i)
            (void)request.files.add(packet.files[i]);
    } else {
        request.files = std::move(packet.files);
        packet.files.clear();
    }
}

LinuxResult<std::size_t> UnixSocket::receive(ReceiveRequest& request) {
    if ((request.flags & message_flag::out_of_band) != 0)
        return fail(Errno::EOPNOTSUPP);
    return endpoint_->stream() ? receive_stream(request) : receive_message(request);
}

LinuxResult<std::size_t> UnixSocket::receive_stream(ReceiveRequest& request) {
    const base::Ref<UnixEndpoint> own(endpoint_);
    if (own->listening)
        return fail(Errno::EINVAL);
    const bool peek = (request.flags & message_flag::peek) != 0;
    const abi::Deadline deadline = receive_deadline();
    std::size_t done = 0;
    bool took_files = false;
    for (;;) {
        if (auto ready = wait_for_input(request.flags, deadline); !ready) {
            if (done != 0)
                break;
            return fail(ready.error());
        }
        if (own->packets.empty() || request.data.empty())
            break;
        for (auto next = own->packets.begin(); next != own->packets.end() && done < request.data.size();) {
            UnixPacket& packet = *next;
            ++next;
            const bool has_files = packet.files.size() != 0;
            if ((done != 0 && has_files) || took_files ||
                (done != 0 && options_.pass_credentials && !same(packet.credentials, request.credentials))) {
                if (done != 0)
                    goto finished;
            }
            const std::size_t count = std::min(packet.size - packet.offset, request.data.size() - done);
            std::memcpy(request.data.data() + done, packet.bytes() + packet.offset, count);
            take_along(request, packet, peek);
            took_files |= has_files;
            done += count;
            if (!peek)
                own->consume(count);
        }
        if (done == request.data.size() || (request.flags & message_flag::wait_all) == 0 || peek || took_files)
            break;
    }
finished:
    request.full_length = done;
    return done;
}

LinuxResult<std::size_t> UnixSocket::receive_message(ReceiveRequest& request) {
    const base::Ref<UnixEndpoint> own(endpoint_);
    TRY(wait_for_input(request.flags, receive_deadline()));
    UnixPacket* packet = own->first();
    if (packet == nullptr)
        return std::size_t{0}; // the end
    const bool peek = (request.flags & message_flag::peek) != 0;
    const std::size_t count = std::min(packet->size, request.data.size());
    std::memcpy(request.data.data(), packet->bytes(), count);
    request.full_length = packet->size;
    if (count < packet->size)
        request.result_flags |= message_flag::truncated;
    if (type() == socket_type::sequential)
        request.result_flags |= message_flag::end_of_record;
    request.from = packet->from;
    take_along(request, *packet, peek);
    if (!peek)
        own->consume(packet->size);
    return count;
}

std::size_t UnixSocket::bytes_readable() {
    if (!endpoint_->stream())
        return endpoint_->packets.empty() ? 0 : endpoint_->packets.front().size;
    return endpoint_->used;
}

} // namespace personality
