#include "lib/base/hash_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace base {
namespace {

TEST(HashMap, FollowsAStandardMapThroughRandomOperations) {
    std::mt19937 random(1);
    HashMap<std::uint32_t, std::uint32_t> map;
    std::map<std::uint32_t, std::uint32_t> model;
    for (int step = 0; step < 50'000; ++step) {
        const std::uint32_t key = random() % 500;
        switch (random() % 3) {
        case 0: {
            const auto inserted = map.insert(key, step);
            ASSERT_EQ(inserted.has_value(), model.emplace(key, step).second);
            if (!inserted)
                ASSERT_EQ(inserted.error(), Error::exists);
            break;
        }
        case 1:
            ASSERT_EQ(map.erase(key), model.erase(key) == 1);
            break;
        default: {
            const auto* found = map.find(key);
            const auto expected = model.find(key);
            ASSERT_EQ(found != nullptr, expected != model.end());
            if (found != nullptr)
                ASSERT_EQ(*found, expected->second);
        }
        }
        ASSERT_EQ(map.size(), model.size());
    }
    std::map<std::uint32_t, std::uint32_t> seen;
    for (const auto& entry : map)
        seen.emplace(entry.key, entry.value);
    EXPECT_EQ(seen, model);
}

// All keys in one chain: removal must close every hole.
struct SameHash {
    std::uint64_t operator()(int, std::uint64_t) const { return 6; }
};
TEST(HashMap, RemovesFromAChainThatWraps) {
    HashMap<int, int, SameHash> map;
    for (int i = 0; i < 6; ++i)
        ASSERT_TRUE(map.insert(i, i * i));
    EXPECT_TRUE(map.erase(1));
    EXPECT_TRUE(map.erase(4));
    for (const int i : {0, 2, 3, 5})
        ASSERT_EQ(*map.find(i), i * i);
    EXPECT_FALSE(map.contains(4));
    EXPECT_EQ(map.size(), 4u);
}

TEST(HashMap, FindsTextWithoutMakingAKey) {
    HashMap<String, int> map(42);
    ASSERT_TRUE(map.insert(*String::from("one"), 1));
    EXPECT_EQ(*map.find(std::string_view("one")), 1);
    EXPECT_EQ(**map.insert_or_assign(*String::from("one"), 2), 2);
    HashMap<String, int> moved(std::move(map));
    EXPECT_EQ(*moved.find(std::string_view("one")), 2);
    EXPECT_TRUE(map.empty());
}

} // namespace
} // namespace base
