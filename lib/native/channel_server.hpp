// The server's side of channels (abi/channel.abi): sessions with a shared buffer, requests that may be answered later.
//
// Clients are hostile: a request is copied out of the shared buffer before anybody looks at it, sessions are bounded, and a client that gives up on a request and makes
// another supersedes the first: its late answer goes nowhere.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "abi/channel_message.hpp"
#include "abi/tlv.hpp"
#include "lib/base/ref.hpp"
#include "lib/base/vector.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

namespace native {

class ChannelSession : public base::RefCounted<ChannelSession> {
public:
    std::uint64_t number = 0;
    std::uint64_t badge = 0;
    MappedMemory buffer;
    std::uint64_t request = 0; // serial of the latest; an answer to an older one is dropped
    bool open = true;
};

// One request. Answered once; dropped without an answer, it answers `peer_closed` to its client.
class ChannelRequest {
public:
    ChannelRequest() = default;
    ChannelRequest(ChannelRequest&&) = default;
    ChannelRequest& operator=(ChannelRequest&&) = default;

    explicit operator bool() const { return static_cast<bool>(reply_); }
    std::uint32_t message() const { return message_; }
    std::uint64_t badge() const { return session_->badge; }
    std::uint64_t session() const { return session_->number; }
    // False once the client has given up on it, or closed the session.
    bool wanted() const { return session_->open && session_->request == serial_; }

    abi::TlvReader records() const { return abi::TlvReader({payload_.data(), payload_.size()}); }
    // The first record with this tag.
    template <class Tag> bool find(Tag tag, abi::TlvRecord& record) const {
        abi::TlvReader reader = records();
        while (reader.next(record))
            if (record.tag == static_cast<std::uint16_t>(tag))
                return true;
        return false;
    }
    // A number that must be there. Errors: bad_argument.
    template <class Tag> base::Result<std::uint64_t> number(Tag tag) const {
        abi::TlvRecord record;
        if (!find(tag, record) || record.value.size() != sizeof(std::uint64_t))
            return std::unexpected(abi::Error::bad_argument);
        return record.number();
    }
    template <class Tag> std::uint64_t number(Tag tag, std::uint64_t fallback) const {
        abi::TlvRecord record;
        return find(tag, record) ? record.number(fallback) : fallback;
    }
    // Capability `index` that came with the request, now the caller's; empty where none came.
    Owned take_handle(std::size_t index) { return index < abi::channel_handles ? std::move(handles_[index]) : Owned(); }

    // Where the records of the answer are to be written: the session's buffer, behind the header.
    abi::TlvWriter writer() const {
        return abi::TlvWriter(session_->buffer.mapping.bytes().first(abi::channel_buffer_bytes).subspan(sizeof(abi::ChannelHeader)));
    }
    struct Lent {
        abi::Handle handle = abi::no_handle;
        abi::Rights rights = 0; // 0: the same
    };
    // Answers with what `writer` wrote and up to four capabilities. `stream`: they are one ring pair. An overflow of the writer answers `too_large`.
    void answer(const abi::TlvWriter& writer, std::span<const Lent> handles = {}, bool stream = false);
    void answer() { answer(abi::TlvWriter({})); }
    // A refusal; `reason` is a text for a person, if there is one.
    void refuse(abi::Error error, std::string_view reason = {}, std::uint16_t reason_tag = 1);

private:
    friend class ChannelServer;
    void send(abi::Error error, std::size_t payload, std::span<const Lent> handles, bool stream);

    base::Ref<ChannelSession> session_;
    Owned reply_;
    std::uint64_t serial_ = 0;
    std::uint32_t message_ = 0;
    base::Vector<std::byte> payload_;
    Owned handles_[abi::channel_handles];
};

class ChannelService {
public:
    virtual void on_request(ChannelRequest request) = 0;
    // `last`: the badge has no other session, so its client is gone, or about to begin anew.
    virtual void on_session_closed(std::uint64_t badge, std::uint64_t session, bool last) {}

protected:
    ~ChannelService() = default;
};

class ChannelServer final : public EventHandler {
public:
    static constexpr std::size_t sessions_per_badge = 64;

    // `endpoint` is borrowed.
    ChannelServer(abi::Handle endpoint, ChannelService& service) : endpoint_(endpoint), service_(service) {}
    void on_event(std::uint64_t) override;
    // Ends all sessions of a client, but for session `kept`; there is no session 0.
    void close_badge(std::uint64_t badge, std::uint64_t kept = 0);

private:
    void serve(const Incoming& incoming, Message& message);
    void open(const Incoming& incoming, Message& message);
    void request(const Incoming& incoming, Message& message);
    base::Ref<ChannelSession> find(std::uint64_t badge, std::uint64_t number);
    void close(std::size_t index);

    abi::Handle endpoint_;
    ChannelService& service_;
    base::Vector<base::Ref<ChannelSession>> sessions_;
    std::uint64_t next_session_ = 1;
};

} // namespace native
