#include "lib/base/tree.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace base {
namespace {

struct Item : TreeNodeOf<> {
    explicit Item(std::uint64_t key) : key(key) {}
    std::uint64_t key;
};
struct KeyOf {
    std::uint64_t operator()(const Item& item) const { return item.key; }
};
using Items = Tree<Item, KeyOf>;

void expect_same(const Items& tree, const std::map<std::uint64_t, std::unique_ptr<Item>>& model) {
    ASSERT_TRUE(tree.sound());
    ASSERT_EQ(tree.empty(), model.empty());
    Item* item = tree.first();
    for (const auto& [key, expected] : model) {
        ASSERT_EQ(item, expected.get());
        item = tree.next(*item);
    }
    ASSERT_EQ(item, nullptr);
    item = tree.last();
    for (auto at = model.rbegin(); at != model.rend(); ++at) {
        ASSERT_EQ(item, at->second.get());
        item = tree.previous(*item);
    }
    ASSERT_EQ(item, nullptr);
}

TEST(Tree, IsAnOrderedMap) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        std::mt19937_64 random(seed);
        std::map<std::uint64_t, std::unique_ptr<Item>> model;
        Items tree;
        const std::uint64_t keys = seed == 1 ? 8 : 300;
        for (unsigned i = 0; i < 3000; ++i) {
            const std::uint64_t key = random() % keys;
            if (const auto known = model.find(key); known != model.end()) {
                tree.remove(*known->second);
                ASSERT_FALSE(known->second->in_tree());
                model.erase(known);
            } else {
                Item& item = *(model[key] = std::make_unique<Item>(key));
                tree.insert(item);
                ASSERT_TRUE(item.in_tree());
            }
            const std::uint64_t bound = random() % (keys + 2);
            const auto expected = model.lower_bound(bound);
            ASSERT_EQ(tree.lower_bound(bound), expected == model.end() ? nullptr : expected->second.get());
            if (i % 16 == 0) ASSERT_NO_FATAL_FAILURE(expect_same(tree, model));
        }
        for (const auto& [key, item] : model) tree.remove(*item);
        EXPECT_TRUE(tree.empty() && tree.sound());
    }
}

TEST(Tree, StaysFlatWhereKeysComeInOrder) {
    std::map<std::uint64_t, std::unique_ptr<Item>> model;
    Items tree;
    for (std::uint64_t key = 0; key < 4096; ++key) tree.insert(*(model[key] = std::make_unique<Item>(key)));
    expect_same(tree, model);
    for (std::uint64_t key = 0; key < 4096; key += 2) {
        tree.remove(*model[key]);
        model.erase(key);
    }
    expect_same(tree, model);
}

} // namespace
} // namespace base
