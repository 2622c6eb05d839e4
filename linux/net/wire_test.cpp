// The Ethernet side: address resolution, frames that wait, hostile frames.
#include "linux/net/test_support.hpp"

#include <gtest/gtest.h>

#include <random>

namespace personality {
namespace {

using namespace net::test;
using Frame = std::vector<std::uint8_t>;

// From 172.17.0.3, 02:54:00:00:00:03.
Frame arp(std::uint8_t operation) {
    Frame frame{0x02, 0x54, 0, 0, 0, 2, 0x02, 0x54, 0, 0, 0, 3, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation,
                0x02, 0x54, 0, 0, 0, 3, 172, 17, 0, 3, 0x02, 0x54, 0, 0, 0, 2, 172, 17, 0, 2};
    frame.resize(60);
    return frame;
}

bool is_arp(const Frame& frame, std::uint8_t operation) { return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == operation; }

TEST(Wire, AnswersAddressResolution) {
    TestWire& cable = wire();
    cable.sent.clear();
    cable.arrive(arp(1));
    ASSERT_EQ(cable.sent.size(), 1u);
    EXPECT_TRUE(is_arp(cable.sent[0], 2));
    EXPECT_EQ(Frame(cable.sent[0].begin(), cable.sent[0].begin() + 6), (Frame{0x02, 0x54, 0, 0, 0, 3}));
}

TEST(Wire, FramesWaitWhileTheRingIsFull) {
    TestWire& cable = wire();
    cable.arrive(arp(2)); // the peer's address is known from here on
    cable.sent.clear();
    cable.full = true;
    auto socket = *InetSocket::make(socket_type::datagram, 0, socket_type::nonblock, true);
    ASSERT_TRUE(static_cast<Socket&>(*socket).connect(socket_address({peer, 7})));
    for (char letter : {'a', 'b', 'c'}) {
        SendRequest request;
        request.data = std::as_bytes(std::span(&letter, 1));
        ASSERT_TRUE(static_cast<Socket&>(*socket).send(request));
    }
    EXPECT_TRUE(cable.sent.empty());
    EXPECT_FALSE(net::flush());
    cable.full = false;
    EXPECT_TRUE(net::flush());
    ASSERT_EQ(cable.sent.size(), 3u);
    EXPECT_EQ(cable.sent[0].back(), 'a');
    EXPECT_EQ(cable.sent[2].back(), 'c');
}

TEST(Wire, APauseDoesNotCostTheNextPacket) {
    TestWire& cable = wire();
    pass_time(400'000); // what was known of the peer is forgotten, and the stack sleeps
    pause(60'000);
    cable.sent.clear();
    auto socket = *InetSocket::make(socket_type::datagram, 0, socket_type::nonblock, true);
    ASSERT_TRUE(static_cast<Socket&>(*socket).connect(socket_address({peer, 7})));
    SendRequest request;
    request.data = std::as_bytes(std::span("x", 1));
    ASSERT_TRUE(static_cast<Socket&>(*socket).send(request));
    ASSERT_EQ(cable.sent.size(), 1u);
    EXPECT_TRUE(is_arp(cable.sent[0], 1));
    pass_time(10);
    cable.arrive(arp(2));
    ASSERT_EQ(cable.sent.size(), 2u);
    EXPECT_EQ(cable.sent[1].back(), 'x');
}

TEST(Wire, ConnectsThroughTheGatewayAndGivesUpInTheEnd) {
    TestWire& cable = wire();
    cable.sent.clear();
    auto socket = *InetSocket::make(socket_type::stream, 0, socket_type::nonblock, true);
    const auto result = static_cast<Socket&>(*socket).connect(socket_address({0x08080808, 80}));
    EXPECT_EQ(result.error(), Errno::EINPROGRESS);
    ASSERT_FALSE(cable.sent.empty());
    EXPECT_TRUE(is_arp(cable.sent[0], 1));
    EXPECT_EQ(cable.sent[0][41], 1); // who has 172.17.0.1?
    pass_time(200'000);
    EXPECT_EQ(socket->poll() & poll_event::error, poll_event::error);
    std::int32_t error = 0;
    ASSERT_TRUE(static_cast<Socket&>(*socket).get_option(socket_level::socket, socket_option::error, std::as_writable_bytes(std::span(&error, 1))));
    EXPECT_EQ(error, static_cast<int>(Errno::ETIMEDOUT));
}

TEST(Wire, SurvivesFramesOfAllKinds) {
    TestWire& cable = wire();
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        Frame frame = arp(1);
        if (round % 2 != 0) { // an IPv4 packet to us
            frame = {0x02, 0x54, 0, 0, 0, 2, 0x02, 0x54, 0, 0, 0, 3, 0x08, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 172, 17, 0, 3, 172, 17, 0, 2};
            frame.resize(34 + random() % 100);
            for (std::size_t i = 34; i < frame.size(); ++i)
                frame[i] = static_cast<std::uint8_t>(random());
            constexpr std::uint8_t protocols[] = {1, 6, 17, 255};
            frame[23] = protocols[random() % 4];
            frame[17] = static_cast<std::uint8_t>(frame.size() - 14);
            std::uint32_t sum = 0;
            for (std::size_t i = 14; i < 34; i += 2)
                sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
            sum = (sum & 0xffff) + (sum >> 16);
            frame[24] = static_cast<std::uint8_t>(~sum >> 8);
            frame[25] = static_cast<std::uint8_t>(~sum);
        }
        for (unsigned changes = random() % 4; changes != 0; --changes)
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        if (random() % 8 == 0)
            frame.resize(1 + random() % frame.size());
        cable.arrive(frame);
        cable.sent.clear();
    }
    pass_time(60'000);
}

} // namespace
} // namespace personality
