// Runtime's calls to the switch. Each has a deadline: runtime answers the engine, and a switch that hangs holds neither of them.
#pragma once
#include "abi/switch_client.hpp"
#include "lib/base/vector.hpp"

#include <utility>

namespace runtime {

// Clock: `abi::Deadline after_milliseconds(std::uint64_t)`.
template <class Transport, class Clock> class Network {
public:
    // Beyond a start of the whole node on a busy machine; once that has passed, the switch is asked for a sign of life alone.
    static constexpr std::uint64_t patience_milliseconds = 10'000, patience_with_silence_milliseconds = 100;

    Network(Transport transport, Clock clock) : client_(std::move(transport)), clock_(clock) {}

    // Errors: as the switch's port_create; timed_out.
    base::Result<native::switch_::PortCreateReply> create(std::uint32_t flows) {
        TRY(settle());
        return heard(client_.port_create({flows}, deadline()));
    }
    // Errors: as the switch's publish; timed_out.
    base::Result<void> publish(const native::switch_::PublishRequest& request) {
        TRY(heard(client_.publish(request, deadline())));
        return {};
    }
    // A port that cannot be ended now is, as far as there is memory to remember it, before the next one is made.
    void destroy(std::uint64_t port) {
        if (silent_ || !ended(port))
            (void)left_.push_back(port);
    }

private:
    abi::Deadline deadline() const { return clock_.after_milliseconds(silent_ ? patience_with_silence_milliseconds : patience_milliseconds); }

    template <class Reply> base::Result<Reply> heard(base::Result<Reply> reply) {
        silent_ = !reply && reply.error() == abi::Error::timed_out;
        return reply;
    }

    // Any answer is one: where the switch does not know the port, or is gone, there is none to end.
    bool ended(std::uint64_t port) {
        const auto reply = heard(client_.port_destroy({port}, deadline()));
        return reply || reply.error() != abi::Error::timed_out;
    }

    base::Result<void> settle() {
        for (; !left_.empty(); left_.erase(left_.size() - 1))
            if (!ended(left_.back()))
                return std::unexpected(abi::Error::timed_out);
        return {};
    }

    native::switch_::Client<Transport> client_;
    Clock clock_;
    bool silent_ = false; // it did not answer the last call
    base::Vector<std::uint64_t> left_;
};

} // namespace runtime
