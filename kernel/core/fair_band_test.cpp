#include "kernel/core/fair_band.hpp"

#include <gtest/gtest.h>

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

} // namespace
} // namespace kernel
