#include "kernel/core/fair_band.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace kernel {
namespace {

using Order = std::multimap<std::uint64_t, FairNode*>; // equals stay in the order in which they came

void forget(Order& order, FairNode& node) {
    for (auto at = order.lower_bound(node.virtual_time_); at != order.end(); ++at) {
        if (at->second != &node) continue;
        order.erase(at);
        return;
    }
    FAIL();
}

TEST(FairBandTest, AgreesWithAnOrderedMap) {
    std::vector<FairNode> nodes(300);
    Order order;
    FairBand band;
    std::mt19937_64 random(7);
    for (int i = 0; i < 20000; ++i) {
        FairNode& node = nodes[random() % nodes.size()];
        if (!node.in_band()) {
            node.virtual_time_ = random() % 40;
            band.add(node);
            order.emplace(node.virtual_time_, &node);
        } else if (random() % 3 == 0) {
            band.remove(node);
            forget(order, node);
        }
        if (random() % 4 == 0 && !band.empty()) {
            ASSERT_EQ(band.first(), order.begin()->second);
            band.remove(*band.first());
            order.erase(order.begin());
        }
        ASSERT_TRUE(band.sound());
        ASSERT_EQ(band.empty(), order.empty());
    }
    while (!order.empty()) {
        ASSERT_EQ(band.first(), order.begin()->second);
        band.remove(*band.first());
        order.erase(order.begin());
    }
    EXPECT_TRUE(band.empty());
}

TEST(FairBandTest, TakesAnotherOneWhole) {
    std::vector<FairNode> nodes(200);
    FairBand band, other;
    std::mt19937_64 random(3);
    for (unsigned round = 0; round < 50; ++round) {
        for (FairNode& node : nodes) {
            node.virtual_time_ = random() % 1000;
            (random() % 3 == 0 ? band : other).add(node);
        }
        band.take_all(other);
        ASSERT_TRUE(other.empty() && band.sound());
        std::uint64_t last = 0;
        for (std::size_t left = nodes.size(); left > 0; --left) {
            ASSERT_NE(band.first(), nullptr);
            ASSERT_GE(band.first()->virtual_time_, last);
            last = band.first()->virtual_time_;
            band.remove(*band.first());
        }
        ASSERT_TRUE(band.empty());
    }
}

TEST(FairBandTest, LooksAtNoMoreThanItIsAskedTo) {
    std::vector<FairNode> nodes(100);
    FairBand band;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].virtual_time_ = i * 37 % nodes.size();
        band.add(nodes[i]);
    }
    std::vector<FairNode*> seen;
    const auto note = [&](FairNode& node) {
        seen.push_back(&node);
        return false;
    };
    EXPECT_EQ(band.find(32, note), nullptr);
    EXPECT_EQ(seen.size(), 32u);
    EXPECT_EQ(seen.front(), band.first());
    seen.clear();
    EXPECT_EQ(band.find(1000, note), nullptr);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen.size(), nodes.size());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
    EXPECT_EQ(band.find(1000, [&](FairNode& node) { return &node == &nodes[50]; }), &nodes[50]);
}

} // namespace
} // namespace kernel
