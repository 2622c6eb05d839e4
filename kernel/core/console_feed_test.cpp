#include "kernel/core/console_feed.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace kernel {
namespace {

constexpr unsigned patience = 5;

struct ConsoleFeedTest : testing::Test {
    std::unique_ptr<LogRing> ring = std::make_unique<LogRing>();
    ConsoleFeed feed;
    std::string console;

    void write(std::string_view text) {
        for (const char character : text) ring->put(character);
    }
    // A device with room for so many.
    bool step(std::size_t room) {
        const ConsoleFeed::Part part = feed.next(*ring);
        const std::size_t taken = std::min(room, part.length);
        console += part.text().substr(0, taken);
        return feed.took(part, taken, patience, ring->end());
    }
};

TEST_F(ConsoleFeedTest, NoStepIsLongerThanTheDevicesQueue) {
    write(std::string(1000, 'x'));
    while (feed.shown() < ring->end()) {
        const std::size_t before = console.size();
        EXPECT_TRUE(step(1000));
        EXPECT_LE(console.size() - before, 16u);
    }
    EXPECT_EQ(console, std::string(1000, 'x'));
}

TEST_F(ConsoleFeedTest, WhatTheDeviceDidNotTakeComesAgain) {
    write("one two three four five six seven");
    for (const std::size_t room : {3u, 0u, 5u, 1u, 0u, 0u, 16u, 16u}) EXPECT_EQ(step(room), room != 0);
    EXPECT_EQ(console, "one two three four five six seven");
    EXPECT_EQ(feed.next(*ring).length, 0u);
}

TEST_F(ConsoleFeedTest, ADeadDeviceIsGivenUpAndMayComeBack) {
    write("lost");
    for (unsigned i = 1; i < patience; ++i) {
        EXPECT_FALSE(step(0));
        EXPECT_EQ(feed.shown(), 0u);
    }
    EXPECT_TRUE(step(0));
    EXPECT_EQ(feed.shown(), ring->end());
    write("found");
    EXPECT_FALSE(step(0)) << "it is tried as often as before";
    EXPECT_TRUE(step(16));
    EXPECT_EQ(console, "found");
}

TEST_F(ConsoleFeedTest, WhatTheRingLostIsPassedOver) {
    write(std::string(10, 'a'));
    write(std::string(LogRing::capacity, 'b'));
    EXPECT_TRUE(step(16));
    EXPECT_EQ(console, std::string(16, 'b'));
    EXPECT_EQ(feed.shown(), 26u);
}

TEST(LogRingTest, CopiesFromAnywhere) {
    auto ring = std::make_unique<LogRing>();
    for (std::size_t i = 0; i < LogRing::capacity + 3; ++i) ring->put(static_cast<char>('a' + i % 26));
    char text[4];
    std::uint64_t position = 0;
    EXPECT_EQ(ring->copy(position, text), 4u);
    EXPECT_EQ(position, 3u);
    EXPECT_EQ(std::string_view(text, 4), "defg");
    position = ring->end() - 1;
    EXPECT_EQ(ring->copy(position, text), 1u);
    position = ring->end();
    EXPECT_EQ(ring->copy(position, text), 0u);
    position = ~std::uint64_t{0} - 1;
    EXPECT_EQ(ring->copy(position, text), 0u);
}

} // namespace
} // namespace kernel
