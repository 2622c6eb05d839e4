#include "kernel/core/futex_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

namespace kernel {
namespace {

TEST(FutexQueueTest, AgreesWithAQueueForEachWord) {
    constexpr std::size_t words = 9;
    const auto key = [](std::size_t word) { return FutexKey{reinterpret_cast<const void*>(word % 3 * 64), word / 3 * 4}; };
    std::vector<FutexNode> nodes(200);
    std::map<std::size_t, std::deque<FutexNode*>> expected;
    FutexQueue queue;
    std::mt19937_64 random(5);
    for (int i = 0; i < 20000; ++i) {
        FutexNode& node = nodes[random() % nodes.size()];
        const std::size_t word = random() % words;
        if (!node.in_futex_queue()) {
            queue.push(node, key(word));
            expected[word].push_back(&node);
        } else if (random() % 3 == 0) {
            for (auto& [at, waiters] : expected) std::erase(waiters, &node);
            queue.remove(node);
        } else if (FutexNode* const first = queue.first(key(word), queue.turn())) {
            // It is woken or moves to another word.
            ASSERT_EQ(first, expected[word].front());
            expected[word].pop_front();
            queue.remove(*first);
            if (random() % 2 == 0) {
                const std::size_t other = random() % words;
                queue.push(*first, key(other));
                expected[other].push_back(first);
            }
        } else {
            ASSERT_TRUE(expected[word].empty());
        }
    }
    for (std::size_t word = 0; word < words; ++word) {
        for (FutexNode* const waiter : expected[word]) {
            ASSERT_EQ(queue.first(key(word), queue.turn()), waiter);
            ASSERT_EQ(waiter->futex_key(), key(word));
            queue.remove(*waiter);
        }
        EXPECT_EQ(queue.first(key(word), queue.turn()), nullptr);
    }
}

// A wake in parts takes nobody that came after its begin.
TEST(FutexQueueTest, LeavesWhoCameLater) {
    const FutexKey key{nullptr, 4096};
    FutexNode early[3], late;
    FutexQueue queue;
    for (FutexNode& node : early) queue.push(node, key);
    const std::uint64_t begin = queue.turn();
    queue.remove(*queue.first(key, begin));
    queue.push(late, key);
    // Who comes back is a late one too.
    queue.push(early[0], key);
    for (FutexNode* const node : {&early[1], &early[2]}) {
        EXPECT_EQ(queue.first(key, begin), node);
        queue.remove(*node);
    }
    EXPECT_EQ(queue.first(key, begin), nullptr);
    EXPECT_EQ(queue.first(key, queue.turn()), &late);
    queue.remove(late);
    queue.remove(early[0]);
}

} // namespace
} // namespace kernel
