#include "lib/base/rate_limit.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

TEST(RateLimitTest, GivesTheBurstAndThenSoManyASecond) {
    RateLimit limit(4, 2);
    for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(limit.has(second) && limit.take(second));
    EXPECT_FALSE(limit.has(second));
    EXPECT_FALSE(limit.take(second));
    EXPECT_FALSE(limit.take(second + second / 2 - 1));
    EXPECT_TRUE(limit.take(second + second / 2));
    EXPECT_FALSE(limit.take(second + second / 2));
    for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(limit.take(10 * second));
    EXPECT_FALSE(limit.take(10 * second));
}

TEST(RateLimitTest, WhatIsOwedComesAgainFirst) {
    RateLimit limit(4, 2);
    limit.owe(6, second);
    EXPECT_FALSE(limit.has(second));
    EXPECT_FALSE(limit.take(2 * second));
    EXPECT_TRUE(limit.has(second * 5 / 2));
    EXPECT_TRUE(limit.take(second * 5 / 2));
    EXPECT_FALSE(limit.take(second * 5 / 2));
}

} // namespace
} // namespace base
