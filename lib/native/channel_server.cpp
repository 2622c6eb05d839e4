#include "lib/native/channel_server.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "abi/channel_messages.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

namespace native {

namespace {

void answer_error(abi::Handle reply, abi::Error error) {
    Message message;
    set_error(message, error);
    (void)native::answer(reply, message);
}

} // namespace

// --- answers

void ChannelRequest::send(abi::Error error, std::size_t payload, std::span<const Lent> handles, bool stream) {
    if (!reply_)
        return;
    Owned reply = std::move(reply_);
    if (!wanted()) {
        // Nobody waits, and the buffer belongs to a newer request.
        return;
    }
    const abi::ChannelHeader header{message_, -static_cast<std::int32_t>(error)};
    std::memcpy(session_->buffer.mapping.data(), &header, sizeof header);
    channel::RequestReply answer;
    answer.length = sizeof header + payload;
    answer.stream = stream ? 1 : 0;
    abi::Handle* const slots[] = {&answer.handle0, &answer.handle1, &answer.handle2, &answer.handle3};
    Message message;
    for (std::size_t i = 0; i < handles.size() && i < abi::channel_handles; ++i)
        *slots[i] = handles[i].handle;
    encode(answer, message);
    for (std::size_t i = 0; i < handles.size() && i < abi::channel_handles; ++i)
        message.handle_rights[i] = handles[i].rights;
    // `reply` is used up by the answer, whatever comes of it.
    (void)native::answer(reply.release(), message);
}

void ChannelRequest::answer(const abi::TlvWriter& writer, std::span<const Lent> handles, bool stream) {
    if (!writer.ok())
        return send(abi::Error::too_large, 0, {}, false);
    send(abi::Error{}, writer.written().size(), handles, stream);
}

void ChannelRequest::refuse(abi::Error error, std::string_view reason, std::uint16_t reason_tag) {
    if (!reply_)
        return;
    abi::TlvWriter records = writer();
    if (!reason.empty())
        records.text(reason_tag, reason);
    send(error, records.ok() ? records.written().size() : 0, {}, false);
}

// --- sessions

base::Ref<ChannelSession> ChannelServer::find(std::uint64_t badge, std::uint64_t number) {
    for (const auto& session : sessions_)
        if (session->number == number && session->badge == badge)
            return session;
    return nullptr;
}

void ChannelServer::close(std::size_t index) {
    const base::Ref<ChannelSession> session = sessions_[index];
    sessions_.erase(index);
    session->open = false;
    const bool last = std::none_of(sessions_.begin(), sessions_.end(), [&](const auto& other) { return other->badge == session->badge; });
    service_.on_session_closed(session->badge, session->number, last);
}

void ChannelServer::close_badge(std::uint64_t badge, std::uint64_t kept) {
    for (std::size_t i = sessions_.size(); i-- > 0;)
        if (sessions_[i]->badge == badge && sessions_[i]->number != kept)
            close(i);
}

void ChannelServer::open(const Incoming& incoming, Message& message) {
    // A client that died without closing leaves sessions behind: the oldest makes room.
    std::size_t count = 0, oldest = 0;
    for (std::size_t i = sessions_.size(); i-- > 0;)
        if (sessions_[i]->badge == incoming.badge) {
            ++count;
            oldest = i;
        }
    static_assert(sessions_per_badge > 1, "or the one that makes room were a client's last");
    if (count >= sessions_per_badge)
        close(oldest);
    auto buffer = MappedMemory::create(self().quota, abi::channel_buffer_bytes, abi::memory_flag::populate);
    if (!buffer)
        return answer_error(incoming.reply, buffer.error());
    auto* session = new (std::nothrow) ChannelSession;
    if (session == nullptr)
        return answer_error(incoming.reply, abi::Error::no_memory);
    auto ref = base::Ref<ChannelSession>::adopt(*session);
    ref->number = next_session_++;
    ref->badge = incoming.badge;
    ref->buffer = std::move(*buffer);
    if (auto kept = sessions_.push_back(ref); !kept)
        return answer_error(incoming.reply, kept.error());
    encode(channel::OpenReply{ref->buffer.memory.get(), ref->number}, message);
    (void)answer(incoming.reply, message);
}

void ChannelServer::request(const Incoming& incoming, Message& message) {
    auto decoded = channel::decode_request_request(message);
    if (!decoded) {
        close_handles(message);
        return answer_error(incoming.reply, decoded.error());
    }
    ChannelRequest request;
    request.reply_ = Owned(incoming.reply);
    const abi::Handle handles[] = {decoded->handle0, decoded->handle1, decoded->handle2, decoded->handle3};
    for (std::size_t i = 0; i < abi::channel_handles; ++i)
        request.handles_[i] = Owned(handles[i]);
    request.session_ = find(incoming.badge, decoded->session);
    abi::ChannelHeader header;
    if (!request.session_ || decoded->length < sizeof header || decoded->length > abi::channel_buffer_bytes)
        return answer_error(request.reply_.release(), abi::Error::bad_argument);
    request.serial_ = ++request.session_->request;
    const std::byte* shared = request.session_->buffer.mapping.data();
    std::memcpy(&header, shared, sizeof header);
    if (!request.payload_.append({shared + sizeof header, decoded->length - sizeof header}))
        return answer_error(request.reply_.release(), abi::Error::no_memory);
    request.message_ = header.message;
    if (header.status != 0)
        return request.refuse(abi::Error::bad_argument);
    service_.on_request(std::move(request));
}

void ChannelServer::serve(const Incoming& incoming, Message& message) {
    switch (static_cast<channel::Number>(abi::tag_message(message.tag))) {
    case channel::Number::open:
        if (channel::decode_open_request(message))
            return open(incoming, message);
        break;
    case channel::Number::request:
        return request(incoming, message);
    case channel::Number::close: {
        auto decoded = channel::decode_close_request(message);
        if (!decoded)
            break;
        for (std::size_t i = 0; i < sessions_.size(); ++i)
            if (sessions_[i]->badge == incoming.badge && sessions_[i]->number == decoded->session) {
                close(i);
                encode(channel::CloseReply{}, message);
                (void)answer(incoming.reply, message);
                return;
            }
        break;
    }
    default:
        close_handles(message);
        return answer_error(incoming.reply, abi::Error::unknown_call);
    }
    close_handles(message);
    answer_error(incoming.reply, abi::Error::bad_argument);
}

void ChannelServer::on_event(std::uint64_t) {
    for (unsigned count = 0; count < messages_at_once; ++count) {
        Message message;
        auto incoming = receive(endpoint_, message, abi::poll);
        if (!incoming)
            return;
        serve(*incoming, message);
    }
}

} // namespace native
