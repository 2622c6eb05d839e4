#include "kernel/core/deadline_queue.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace kernel {
namespace {

TEST(DeadlineQueueTest, AgreesWithASet) {
    std::vector<DeadlineNode> nodes(300);
    std::map<DeadlineNode*, std::uint64_t> armed;
    std::multiset<std::uint64_t> deadlines;
    DeadlineQueue queue;
    std::mt19937_64 random(11);
    const auto forget = [&](DeadlineNode& node) {
        deadlines.erase(deadlines.find(armed.at(&node)));
        armed.erase(&node);
    };
    std::uint64_t now = 0;
    std::size_t taken = 0;
    EXPECT_EQ(queue.next(), abi::never);
    for (int i = 0; i < 20000; ++i) {
        DeadlineNode& node = nodes[random() % nodes.size()];
        ASSERT_EQ(node.armed(), armed.contains(&node));
        if (!node.armed()) {
            // Many have the same one.
            const std::uint64_t deadline = now + random() % 40;
            queue.arm(node, deadline);
            armed[&node] = deadline;
            deadlines.insert(deadline);
        } else if (random() % 2 == 0) {
            queue.disarm(node);
            forget(node);
        }
        queue.disarm(nodes[0]);
        if (armed.contains(&nodes[0])) forget(nodes[0]);
        ASSERT_EQ(queue.next(), deadlines.empty() ? abi::never : *deadlines.begin());
        if (i % 8 != 0) continue;
        ++now;
        while (DeadlineNode* const due = queue.take_due(now)) {
            ASSERT_EQ(armed.at(due), *deadlines.begin());
            ASSERT_LE(armed.at(due), now);
            ASSERT_FALSE(due->armed());
            forget(*due);
            ++taken;
        }
        ASSERT_TRUE(deadlines.empty() || *deadlines.begin() > now);
    }
    EXPECT_GT(taken, 1000u);
    for (DeadlineNode& node : nodes) queue.disarm(node);
    EXPECT_EQ(queue.next(), abi::never);
    EXPECT_EQ(queue.take_due(UINT64_MAX), nullptr);
}

// What is due at once can be taken in parts, and what is armed in between has its place.
TEST(DeadlineQueueTest, IsTakenInParts) {
    std::vector<DeadlineNode> nodes(1000);
    DeadlineNode early;
    DeadlineQueue queue;
    for (DeadlineNode& node : nodes) queue.arm(node, 5);
    EXPECT_EQ(queue.take_due(4), nullptr);
    for (int i = 0; i < 600; ++i) EXPECT_NE(queue.take_due(5), nullptr);
    queue.arm(early, 3);
    EXPECT_EQ(queue.next(), 3u);
    EXPECT_EQ(queue.take_due(5), &early);
    for (int i = 0; i < 400; ++i) EXPECT_NE(queue.take_due(5), nullptr);
    EXPECT_EQ(queue.take_due(5), nullptr);
}

} // namespace
} // namespace kernel
