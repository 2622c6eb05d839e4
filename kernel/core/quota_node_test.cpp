#include "kernel/core/quota_node.hpp"

#include <gtest/gtest.h>

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

TEST(QuotaNode, BytesBecomePagesWhenTheyCrossOne) {
    QuotaNode root(nullptr, 2);
    EXPECT_TRUE(root.charge_bytes(1));
    EXPECT_EQ(root.used(), 1u);
    EXPECT_TRUE(root.charge_bytes(4095));
    EXPECT_EQ(root.used(), 1u);
    EXPECT_TRUE(root.charge_bytes(1));
    EXPECT_FALSE(root.charge_bytes(4096));
    root.release_bytes(1);
    EXPECT_EQ(root.used(), 1u);
    root.release_bytes(4096);
    EXPECT_EQ(root.used(), 0u);
}

TEST(QuotaNode, AClosedNodeRefusesForItsDescendantsToo) {
    QuotaNode root(nullptr, 10), middle(&root, 10), leaf(&middle, 10);
    EXPECT_TRUE(leaf.charge_bytes(10));
    middle.close();
    EXPECT_FALSE(leaf.charge_bytes(1));
    EXPECT_FALSE(leaf.charge_table());
    EXPECT_TRUE(root.charge_pages(1));
    leaf.release_bytes(10);
    EXPECT_EQ(middle.used(), 0u);
}

TEST(QuotaNode, FiguresAreRightUnderRaces) {
    QuotaNode root(nullptr, 1000), one(&root, 700), two(&root, 700);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            QuotaNode& node = i % 2 ? one : two;
            for (int round = 0; round < 5000; ++round) {
                const bool bytes = node.charge_bytes(300 + round % 7000);
                const bool pages = node.charge_pages(round % 400);
                EXPECT_LE(node.used(), 1100u);
                if (pages) node.release_pages(round % 400);
                if (bytes) node.release_bytes(300 + round % 7000);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(root.used(), 0u);
    EXPECT_EQ(one.used(), 0u);
    EXPECT_EQ(two.used(), 0u);
}

} // namespace
} // namespace kernel
