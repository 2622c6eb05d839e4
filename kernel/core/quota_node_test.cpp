#include "kernel/core/quota_node.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace kernel {
namespace {

TEST(QuotaNode, ChargesEveryAncestorOrNone) {
    QuotaNode root(nullptr, 100), middle(&root, 50), leaf(&middle, 80);
    EXPECT_TRUE(leaf.charge_pages(50));
    EXPECT_FALSE(leaf.charge_pages(1));
    EXPECT_EQ(root.used(), 50u);
    EXPECT_EQ(leaf.used(), 50u);
    EXPECT_TRUE(root.charge_pages(50));
    EXPECT_FALSE(root.charge_pages(1));
    leaf.release_pages(50);
    EXPECT_EQ(middle.used(), 0u);
    EXPECT_FALSE(leaf.charge_pages(UINT64_MAX));
    EXPECT_FALSE(leaf.charge_pages(51));
    EXPECT_EQ(root.used(), 50u);
}

TEST(QuotaNode, AClosedNodeRefusesForItsDescendantsToo) {
    QuotaNode root(nullptr, 10), middle(&root, 10), leaf(&middle, 10);
    EXPECT_TRUE(leaf.charge_pages(2));
    middle.close();
    EXPECT_FALSE(leaf.charge_pages(1));
    EXPECT_FALSE(leaf.charge_table());
    EXPECT_TRUE(root.charge_pages(1));
    leaf.release_pages(2);
    EXPECT_EQ(middle.used(), 0u);
}

TEST(QuotaNode, FiguresAreRightUnderRaces) {
    QuotaNode root(nullptr, 1000), one(&root, 700), two(&root, 700);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            QuotaNode& node = i % 2 ? one : two;
            for (int round = 0; round < 5000; ++round) {
                const bool table = node.charge_table();
                const bool pages = node.charge_pages(round % 400);
                EXPECT_LE(node.used(), 1100u);
                if (pages) node.release_pages(round % 400);
                if (table) node.release_table();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(root.used(), 0u);
    EXPECT_EQ(one.used(), 0u);
    EXPECT_EQ(two.used(), 0u);
}

TEST(QuotaNode, WhatCannotBeHadTakesNothingFromOthers) {
    QuotaNode root(nullptr, 1000), one(&root, UINT64_MAX), other(&root, 1000);
    std::atomic<bool> over{false};
    std::thread hopeless([&] {
        while (!over) EXPECT_FALSE(one.charge_pages(1001));
    });
    for (int round = 0; round < 200'000; ++round) {
        ASSERT_TRUE(other.charge_pages(1));
        other.release_pages(1);
    }
    over = true;
    hopeless.join();
}

} // namespace
} // namespace kernel
