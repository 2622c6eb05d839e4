#include "kernel/core/lease_node.hpp"

#include <gtest/gtest.h>

#include <set>

namespace kernel {
namespace {

std::set<LeaseNode*> subtree(LeaseNode& root) {
    std::set<LeaseNode*> nodes;
    for (LeaseNode* node = &root; node; node = node->next_within(root)) EXPECT_TRUE(nodes.insert(node).second);
    return nodes;
}

TEST(LeaseNode, TheWalkSeesTheSubtreeAndNothingElse) {
    LeaseNode top, left, right, below_left, below_right, deep;
    left.link_below(top);
    right.link_below(top);
    below_left.link_below(left);
    below_right.link_below(right);
    deep.link_below(below_left);
    EXPECT_EQ(subtree(top).size(), 6u);
    EXPECT_EQ(subtree(left), (std::set<LeaseNode*>{&left, &below_left, &deep}));
    EXPECT_EQ(subtree(deep), std::set<LeaseNode*>{&deep});
    EXPECT_TRUE(deep.is_within(left));
    EXPECT_FALSE(deep.is_within(right));
    deep.unlink();
    below_left.unlink();
    EXPECT_EQ(subtree(left), std::set<LeaseNode*>{&left});
    left.unlink();
    EXPECT_EQ(subtree(top).size(), 3u);
}

TEST(LeaseNode, ABumpEndsWhatWasValid) {
    LeaseNode lease;
    const auto generation = lease.generation();
    EXPECT_TRUE(lease.valid(generation));
    EXPECT_FALSE(lease.revoked());
    lease.bump();
    EXPECT_FALSE(lease.valid(generation));
    EXPECT_TRUE(lease.revoked());
}

} // namespace
} // namespace kernel
