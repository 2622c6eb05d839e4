#include "servers/switch/shares.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace {

using namespace netswitch;

constexpr std::size_t senders = 130;
constexpr std::uint64_t capacity = 256 * 1024, large = 1424, small = 88; // a full datagram and a SYN, with their heads

// A receiver's ring. Without shares it takes what there is room for.
struct Ring {
    bool shared = true;
    Shares<senders> shares;
    std::deque<std::uint64_t> frames;
    std::uint64_t produced = 0, consumed = 0;

    std::uint64_t room() const { return capacity - (produced - consumed); }
    bool send(std::size_t sender, std::uint64_t bytes) {
        if (room() < bytes || (shared && !shares.may_add(sender, bytes, produced, room(), capacity))) return false;
        produced += bytes;
        shares.add(sender, bytes, produced, capacity);
        frames.push_back(bytes);
        return true;
    }
    void read(std::size_t count) {
        for (; count != 0 && !frames.empty(); --count) {
            consumed += frames.front();
            frames.pop_front();
        }
    }
};

// Of 1,000 frames that one sender sends, each as the receiver has read another `pause`, those that are lost while others flood the ring.
unsigned lost_beside(Ring ring, std::size_t flooders, std::uint64_t bytes, std::size_t pause) {
    unsigned lost = 0;
    for (int round = 0; round < 1000; ++round) {
        for (int burst = 0; burst < 40; ++burst)
            for (std::size_t flooder = 1; flooder <= flooders; ++flooder) (void)ring.send(flooder, large);
        lost += !ring.send(0, bytes);
        ring.read(pause);
    }
    return lost;
}

} // namespace

TEST(Shares, WhoSendsLittleFindsRoomBesideAFlood) {
    EXPECT_EQ(lost_beside({}, 1, large, 10), 0u);
    EXPECT_EQ(lost_beside({}, 4, large, 10), 0u);
    EXPECT_EQ(lost_beside({}, 16, large, 100), 0u);
    EXPECT_EQ(lost_beside({}, 128, small, 400), 0u);
    // Without shares the ring is full as it comes.
    Ring unshared;
    unshared.shared = false;
    EXPECT_GT(lost_beside(unshared, 1, large, 10), 500u);
    EXPECT_GT(lost_beside(unshared, 4, large, 10), 500u);
    EXPECT_GT(lost_beside(unshared, 4, small, 10), 100u);
}

TEST(Shares, OneAloneGetsMostOfTheRing) {
    Ring ring;
    while (ring.send(0, large)) {}
    EXPECT_GE(ring.produced, capacity * 4 / 5);
    // And as much again, for as long as it is read.
    for (int round = 0; round < 1000; ++round) {
        ring.read(ring.frames.size());
        const std::uint64_t before = ring.produced;
        while (ring.send(0, large)) {}
        EXPECT_GE(ring.produced - before, capacity * 4 / 5) << round;
    }
}

TEST(Shares, FloodersGetEqualParts) {
    Ring ring;
    std::array<unsigned, senders> sent{};
    for (int round = 0; round < 2000; ++round) {
        for (std::size_t flooder = 0; flooder < 4; ++flooder)
            for (int burst = 0; burst < (flooder == 0 ? 100 : 10); ++burst) sent[flooder] += ring.send(flooder, large);
        ring.read(10);
    }
    for (std::size_t flooder = 0; flooder < 4; ++flooder) EXPECT_GE(sent[flooder], 2000u * 10 / 4 / 2) << flooder;
}

TEST(Shares, AReceiverThatReadsIsNeverRefused) {
    Ring ring;
    for (int round = 0; round < 10000; ++round) {
        EXPECT_TRUE(ring.send(static_cast<std::size_t>(round) % 3, large)) << round;
        if (ring.frames.size() > 20) ring.read(20);
    }
}
