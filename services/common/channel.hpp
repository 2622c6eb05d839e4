// A client of a native server: requests over the SOCK_SEQPACKET socket /run/themelios/NAME (docs/book/architecture.md, Channels).
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "abi/channel_message.hpp"
#include "abi/tlv.hpp"
#include "services/common/unique_fd.hpp"

namespace services {

// A request that the server refused (`error` is its abi::Error), or a session that broke (`peer_closed`).
class ChannelError : public std::runtime_error {
public:
    ChannelError(abi::Error error, const std::string& what) : std::runtime_error(what), error(error) {}
    abi::Error error;
};

// A request under construction: its records and the descriptors that travel with it (borrowed, at most four).
class Request {
public:
    Request();
    Request& number(auto tag, std::uint64_t value) { return record(static_cast<std::uint16_t>(tag), &value, sizeof value); }
    Request& text(auto tag, std::string_view value) { return record(static_cast<std::uint16_t>(tag), value.data(), value.size()); }
    Request& bytes(auto tag, const void* data, std::size_t size) { return record(static_cast<std::uint16_t>(tag), data, size); }
    Request& descriptor(int fd);

private:
    friend class Session;
    Request& record(std::uint16_t tag, const void* data, std::size_t size);
    std::vector<std::byte> buffer_;
    std::vector<int> descriptors_;
};

struct Reply {
    std::vector<std::byte> buffer;
    std::vector<UniqueFd> descriptors;

    abi::TlvReader records() const { return abi::TlvReader(std::span(buffer).subspan(sizeof(abi::ChannelHeader))); }
    std::uint64_t number(auto tag, std::uint64_t fallback = 0) const { return find_number(static_cast<std::uint16_t>(tag), fallback); }

private:
    std::uint64_t find_number(std::uint16_t tag, std::uint64_t fallback) const;
};

// Whether this program was given the channel.
bool channel_exists(std::string_view channel);

// One session. Not shared between threads.
class Session {
public:
    explicit Session(std::string_view channel);
    // Throws ChannelError. A refused request leaves the session usable.
    Reply call(std::uint32_t message, Request&& request) {
        send(message, std::move(request));
        return receive();
    }
    // The halves of a call. Throw ChannelError: where `send` does, the request did not reach the server. `receive` waits; once `descriptor` is readable, the answer is there.
    void send(std::uint32_t message, Request&& request);
    Reply receive();
    int descriptor() const { return socket_.get(); } // borrowed

private:
    UniqueFd socket_;
    std::uint32_t message_ = 0; // the last that was sent
    std::string channel_;
};

// Sessions that threads borrow for one request each, so that a request that blocks holds up no other. `call` may come from any thread.
class Channel {
public:
    explicit Channel(std::string name) : name_(std::move(name)) {}
    Reply call(auto message, Request&& request) { return receive(send(message, std::move(request))); }
    // The halves of a call, for who waits for the answer in its own way, on the session's descriptor. Throw ChannelError.
    std::unique_ptr<Session> send(auto message, Request&& request) { return send_number(static_cast<std::uint32_t>(message), std::move(request)); }
    Reply receive(std::unique_ptr<Session> session);

private:
    std::unique_ptr<Session> send_number(std::uint32_t message, Request&& request);
    void give_back(std::unique_ptr<Session> session);
    std::string name_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Session>> idle_;
};

} // namespace services
