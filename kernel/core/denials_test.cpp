#include "kernel/core/denials.hpp"

#include <gtest/gtest.h>

namespace kernel {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

struct DenialsTest : testing::Test {
    Denials denials;
    Denials::Record records[Denials::most_records];
    std::uint64_t told = 0;

    std::size_t add(std::uint64_t process, std::uint16_t call, std::uint32_t error, std::uint64_t now) { return count(denials.add(process, call, error, now, records)); }
    std::size_t finish() { return count(denials.finish(records)); }
    std::size_t count(std::size_t made) {
        for (std::size_t i = 0; i < made; ++i) told += records[i].count;
        return made;
    }
};

TEST_F(DenialsTest, TheFirstIsToldAtOnce) {
    ASSERT_EQ(add(7, 3, 1, second), 1u);
    EXPECT_EQ(records[0].process, 7u);
    EXPECT_EQ(records[0].call, 3u);
    EXPECT_EQ(records[0].error, 1u);
    EXPECT_EQ(records[0].count, 1u);
}

TEST_F(DenialsTest, LikeOnesAreToldTogether) {
    EXPECT_EQ(add(7, 3, 1, second), 1u);
    for (unsigned i = 1; i < 1000; ++i) EXPECT_EQ(add(7, 3, 1, second + i), 0u);
    ASSERT_EQ(add(7, 3, 1, 2 * second), 1u);
    EXPECT_EQ(records[0].count, 1000u);
    // Another call, error or process is another kind.
    EXPECT_EQ(add(7, 4, 1, 2 * second), 1u);
    EXPECT_EQ(add(7, 3, 2, 2 * second), 1u);
    EXPECT_EQ(add(8, 3, 1, 2 * second), 1u);
    EXPECT_EQ(told, 1004u);
}

// Whatever comes, no more than the burst and so many a second, and the sum is right in the end.
TEST_F(DenialsTest, NoneIsForgottenAndFewAreRecords) {
    constexpr std::uint64_t all = 20'000;
    std::size_t made = 0;
    for (std::uint64_t i = 0; i < all; ++i) made += add(1 + i % 3, static_cast<std::uint16_t>(i % 70), static_cast<std::uint32_t>(1 + i % 5), second + i * (10 * second / all));
    EXPECT_LE(made, Denials::burst + 10 * Denials::per_second + 1);
    EXPECT_GE(made, Denials::burst);
    finish();
    EXPECT_EQ(told, all);
    EXPECT_EQ(finish(), 0u);
}

TEST_F(DenialsTest, WhatIsPutOffIsToldWithTheNext) {
    for (unsigned i = 0; i < 5; ++i) denials.put_off(7, 3, 1);
    ASSERT_EQ(add(7, 3, 1, second), 1u);
    EXPECT_EQ(records[0].count, 6u);
    for (std::uint64_t process = 1; process <= 100; ++process) denials.put_off(process, 3, 1);
    finish();
    EXPECT_EQ(told, 106u);
}

} // namespace
} // namespace kernel
