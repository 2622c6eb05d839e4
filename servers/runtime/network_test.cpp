#include "servers/runtime/network.hpp"

#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using native::switch_::Number;
using Patience = std::uint64_t;

// A clock that stands at 0: a deadline is the patience that a call has, in milliseconds.
struct Clock {
    abi::Deadline after_milliseconds(std::uint64_t milliseconds) const { return milliseconds; }
};

struct Switch {
    struct Call {
        Number number;
        std::uint64_t first; // word
        Patience patience;
        bool operator==(const Call&) const = default;
    };
    std::vector<Call> calls;
    bool hangs = false;
    std::optional<abi::Error> error;
};

struct Transport {
    Switch* to;
    base::Result<void> call(native::Message& message, abi::Deadline deadline) const {
        const auto number = static_cast<Number>(abi::tag_message(message.tag));
        to->calls.push_back({number, message.words[0], deadline});
        // Who waits without a deadline for what hangs waits for ever.
        if (to->hangs)
            return std::unexpected(deadline == abi::never ? abi::Error::canceled : abi::Error::timed_out);
        native::Message reply{};
        if (to->error)
            reply.tag = abi::make_tag(static_cast<std::uint32_t>(*to->error), 0, 0);
        else if (number == Number::port_create)
            native::switch_::encode(native::switch_::PortCreateReply{.ring = 1, .wait = 2, .signal = 3}, reply);
        else if (number == Number::port_destroy)
            native::switch_::encode(native::switch_::PortDestroyReply{}, reply);
        else
            native::switch_::encode(native::switch_::PublishReply{}, reply);
        message = reply;
        return {};
    }
};

class NetworkTest : public testing::Test {
protected:
    using Network = runtime::Network<Transport, Clock>;
    static constexpr Patience usual = Network::patience_milliseconds, short_one = Network::patience_with_silence_milliseconds;
    Switch to;
    Network network{Transport{&to}, Clock{}};
    std::vector<Switch::Call> calls() { return std::exchange(to.calls, {}); }
};

} // namespace

TEST_F(NetworkTest, EveryCallHasADeadline) {
    EXPECT_TRUE(network.create(3));
    EXPECT_TRUE(network.publish({9, 6, 80, 8080}));
    network.destroy(9);
    EXPECT_EQ(calls(), (std::vector<Switch::Call>{{Number::port_create, 3, usual}, {Number::publish, 9, usual}, {Number::port_destroy, 9, usual}}));
}

TEST_F(NetworkTest, ASwitchThatHangsIsWaitedForOnce) {
    to.hangs = true;
    EXPECT_EQ(network.create(3).error(), abi::Error::timed_out);
    EXPECT_EQ(network.publish({9, 6, 80, 8080}).error(), abi::Error::timed_out);
    for (std::uint64_t port = 1; port <= 3; ++port)
        network.destroy(port);
    EXPECT_EQ(network.create(3).error(), abi::Error::timed_out);
    EXPECT_EQ(calls(), (std::vector<Switch::Call>{{Number::port_create, 3, usual}, {Number::publish, 9, short_one}, {Number::port_destroy, 3, short_one}}));
}

TEST_F(NetworkTest, WhatCouldNotBeEndedIsEndedBeforeThereIsMore) {
    to.hangs = true;
    network.destroy(1);
    network.destroy(2);
    (void)calls();
    to.hangs = false;
    EXPECT_TRUE(network.create(3));
    EXPECT_EQ(calls(), (std::vector<Switch::Call>{{Number::port_destroy, 2, short_one}, {Number::port_destroy, 1, usual}, {Number::port_create, 3, usual}}));
    EXPECT_TRUE(network.create(3));
    EXPECT_EQ(calls().size(), 1u);
}

TEST_F(NetworkTest, ARefusalIsAnAnswer) {
    to.error = abi::Error::no_slots;
    EXPECT_EQ(network.create(3).error(), abi::Error::no_slots);
    to.error = abi::Error::not_found;
    network.destroy(7);
    to.error.reset();
    EXPECT_TRUE(network.create(3));
    EXPECT_EQ(calls(), (std::vector<Switch::Call>{{Number::port_create, 3, usual}, {Number::port_destroy, 7, usual}, {Number::port_create, 3, usual}}));
}
