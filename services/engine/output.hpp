// A client that is attached to a container's output.
#pragma once
#include <string>
#include <string_view>

#include "services/engine/async.hpp"
#include "services/engine/container_log.hpp"

namespace engine {

// Between the coroutine that reads the container and the one that writes to the client. A slow client holds the
// container up, as with Docker: nothing is lost.
class Subscriber {
public:
    Subscriber(asio::io_context& io, bool standard_output, bool standard_error, bool framed)
        : changed_(io), standard_output_(standard_output), standard_error_(standard_error), framed_(framed) {}

    // From the container: takes the bytes, waits while too many are pending.
    Task<> push(OutputStream stream, std::string_view bytes) {
        if (closed_ || !(stream == OutputStream::standard_error ? standard_error_ : standard_output_)) co_return;
        if (framed_) pending_ += frame_head(stream, bytes.size());
        pending_ += bytes;
        changed_.notify();
        while (pending_.size() > pending_limit && !closed_) co_await changed_.wait();
    }
    // No more output, or the client is gone.
    void close() {
        closed_ = true;
        changed_.notify();
    }
    bool closed() const { return closed_; }

    // To the client: all that is pending; empty once closed and written out.
    Task<std::string> take() {
        while (pending_.empty() && !closed_) co_await changed_.wait();
        std::string bytes = std::exchange(pending_, {});
        changed_.notify();
        co_return bytes;
    }

private:
    static constexpr std::size_t pending_limit = 128 << 10;
    std::string pending_;
    bool closed_ = false;
    Signal changed_;
    bool standard_output_;
    bool standard_error_;
    bool framed_;
};

} // namespace engine
