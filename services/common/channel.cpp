#include "services/common/channel.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace services {

namespace {

std::string socket_path(std::string_view channel) {
    const char* folder = std::getenv("THEMELIOS_CHANNELS");
    return std::string(folder != nullptr ? folder : "/run/themelios") + "/" + std::string(channel);
}

[[noreturn]] void broken(const std::string& channel, const std::string& why) {
    throw ChannelError(abi::Error::peer_closed, "the channel " + channel + " broke: " + why);
}

} // namespace

bool channel_exists(std::string_view channel) { return ::access(socket_path(channel).c_str(), F_OK) == 0; }

Request::Request() : buffer_(sizeof(abi::ChannelHeader)) {}

Request& Request::record(std::uint16_t tag, const void* data, std::size_t size) {
    const std::size_t padded = (size + 3) & ~std::size_t{3};
    if (size > abi::channel_buffer_bytes || buffer_.size() + sizeof(abi::TlvHeader) + padded > abi::channel_buffer_bytes)
        throw ChannelError(abi::Error::too_large, "a request of more than 128 KiB");
    const std::size_t at = buffer_.size();
    buffer_.resize(at + sizeof(abi::TlvHeader) + padded);
    const abi::TlvHeader header{tag, 0, static_cast<std::uint32_t>(size)};
    std::memcpy(buffer_.data() + at, &header, sizeof header);
    if (size > 0)
        std::memcpy(buffer_.data() + at + sizeof header, data, size);
    return *this;
}

Request& Request::descriptor(int fd) {
    if (descriptors_.size() == abi::channel_handles)
        throw ChannelError(abi::Error::bad_argument, "a request with more than four descriptors");
    descriptors_.push_back(fd);
    return *this;
}

std::uint64_t Reply::find_number(std::uint16_t tag, std::uint64_t fallback) const {
    auto reader = records();
    abi::TlvRecord record;
    while (reader.next(record))
        if (record.tag == tag)
            return record.number(fallback);
    return fallback;
}

Session::Session(std::string_view channel) : channel_(channel) {
    try {
        socket_ = connect_unix(socket_path(channel), SOCK_SEQPACKET);
    } catch (const std::system_error& error) {
        broken(channel_, error.what());
    }
}

void Session::send(std::uint32_t message, Request&& request) {
    message_ = message;
    const abi::ChannelHeader header{message, 0};
    std::memcpy(request.buffer_.data(), &header, sizeof header);

    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::channel_handles)] = {};
    iovec vector{request.buffer_.data(), request.buffer_.size()};
    msghdr out{};
    out.msg_iov = &vector;
    out.msg_iovlen = 1;
    if (!request.descriptors_.empty()) {
        const std::size_t bytes = sizeof(int) * request.descriptors_.size();
        out.msg_control = control;
        out.msg_controllen = CMSG_SPACE(bytes);
        cmsghdr* part = CMSG_FIRSTHDR(&out);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(bytes);
        std::memcpy(CMSG_DATA(part), request.descriptors_.data(), bytes);
    }
    ssize_t count;
    do
        count = ::sendmsg(socket_.get(), &out, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    if (count != static_cast<ssize_t>(request.buffer_.size()))
        broken(channel_, std::strerror(errno));
}

Reply Session::receive() {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::channel_handles)] = {};
    Reply reply;
    reply.buffer.resize(abi::channel_buffer_bytes);
    iovec vector{reply.buffer.data(), reply.buffer.size()};
    msghdr in{};
    in.msg_iov = &vector;
    in.msg_iovlen = 1;
    in.msg_control = control;
    in.msg_controllen = sizeof control;
    ssize_t count;
    do
        count = ::recvmsg(socket_.get(), &in, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        broken(channel_, count == 0 ? "end of file" : std::strerror(errno));
    for (cmsghdr* part = CMSG_FIRSTHDR(&in); part != nullptr; part = CMSG_NXTHDR(&in, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
            int fd;
            std::memcpy(&fd, reinterpret_cast<char*>(part) + at, sizeof fd);
            reply.descriptors.emplace_back(fd);
        }
    }
    abi::ChannelHeader answer;
    if ((in.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || static_cast<std::size_t>(count) < sizeof answer)
        broken(channel_, "a damaged reply");
    reply.buffer.resize(static_cast<std::size_t>(count));
    std::memcpy(&answer, reply.buffer.data(), sizeof answer);
    if (answer.message != message_)
        broken(channel_, "a reply to another request");
    if (answer.status != 0) {
        // Tag 1 of every server is a reason for a person.
        std::string reason = "error " + std::to_string(-answer.status);
        auto reader = reply.records();
        abi::TlvRecord record;
        while (reader.next(record))
            if (record.tag == 1 && !record.value.empty())
                reason = record.text();
        throw ChannelError(static_cast<abi::Error>(-answer.status), reason);
    }
    return reply;
}

std::unique_ptr<Session> Channel::send_number(std::uint32_t message, Request&& request) {
    for (;;) {
        std::unique_ptr<Session> session;
        {
            std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                session = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        const bool used_before = session != nullptr;
        if (!session)
            session = std::make_unique<Session>(name_);
        try {
            session->send(message, std::move(request));
            return session;
        } catch (const ChannelError&) {
            // One of a server that has been started again is found broken at its next request: that goes to another.
            if (!used_before)
                throw;
        }
    }
}

// One is kept; what more a busy moment needed is closed with it, since each costs the personality a thread and a buffer.
void Channel::give_back(std::unique_ptr<Session> session) {
    std::lock_guard lock(mutex_);
    if (idle_.empty())
        idle_.push_back(std::move(session));
}

Reply Channel::receive(std::unique_ptr<Session> session) {
    try {
        Reply reply = session->receive();
        give_back(std::move(session));
        return reply;
    } catch (const ChannelError& error) {
        // A session that broke is dropped.
        if (error.error != abi::Error::peer_closed)
            give_back(std::move(session));
        throw;
    }
}

} // namespace services
