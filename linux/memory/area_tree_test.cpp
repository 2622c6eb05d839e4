#include "linux/memory/area_tree.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace personality {
namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;

Area area(std::uint64_t start, std::uint64_t end, abi::Protection protection = read_write, std::uint32_t flags = 0) {
    Area result;
    result.start = start * page;
    result.end = end * page;
    result.protection = protection;
    result.flags = flags;
    return result;
}

TEST(AreaTree, NeighboursOfOneKindMerge) {
    AreaTree tree;
    ASSERT_TRUE(tree.insert(area(10, 20)));
    ASSERT_TRUE(tree.insert(area(30, 40)));
    ASSERT_TRUE(tree.insert(area(20, 30)));
    EXPECT_EQ(tree.size(), 1u);
    EXPECT_EQ(tree.total_bytes(), 30 * page);
    ASSERT_TRUE(tree.insert(area(40, 50, abi::protection::read)));
    EXPECT_EQ(tree.size(), 2u);
}

TEST(AreaTree, RemovingTheMiddleSplits) {
    AreaTree tree;
    ASSERT_TRUE(tree.insert(area(10, 20)));
    ASSERT_TRUE(tree.remove(12 * page, 15 * page));
    ASSERT_EQ(tree.size(), 2u);
    EXPECT_EQ(tree.at(0).end, 12 * page);
    EXPECT_EQ(tree.at(1).start, 15 * page);
    EXPECT_FALSE(tree.covered(11 * page, 16 * page));
    EXPECT_TRUE(tree.covered(15 * page, 20 * page));
    EXPECT_TRUE(tree.is_free(12 * page, 15 * page));
    EXPECT_EQ(tree.find(13 * page), nullptr);
}

TEST(AreaTree, FreeRangesAreFoundFromTheTop) {
    AreaTree tree;
    ASSERT_TRUE(tree.insert(area(90, 100)));
    ASSERT_TRUE(tree.insert(area(50, 80)));
    EXPECT_EQ(tree.find_free_below(16 * page, 100 * page, 10 * page), 80 * page);
    EXPECT_EQ(tree.find_free_below(16 * page, 100 * page, 11 * page), 39 * page);
    EXPECT_EQ(tree.find_free_below(16 * page, 100 * page, 34 * page), 16 * page);
    EXPECT_EQ(tree.find_free_below(16 * page, 100 * page, 35 * page), 0u);
    EXPECT_EQ(tree.find_free_below(16 * page, 200 * page, 5 * page), 195 * page);
    EXPECT_EQ(tree.find_free_below(16 * page, 70 * page, 5 * page), 45 * page);
}

// Against a page-by-page model: random inserts, removals and protections.
TEST(AreaTree, MatchesAModelOfSinglePages) {
    std::mt19937 random(7);
    AreaTree tree;
    std::map<std::uint64_t, abi::Protection> model;
    for (int step = 0; step < 4000; ++step) {
        const std::uint64_t start = 1 + random() % 200, end = start + 1 + random() % 20;
        const abi::Protection protection = random() % 3;
        switch (random() % 3) {
        case 0:
            ASSERT_TRUE(tree.remove(start * page, end * page));
            ASSERT_TRUE(tree.insert(area(start, end, protection)));
            for (std::uint64_t at = start; at < end; ++at)
                model[at] = protection;
            break;
        case 1:
            ASSERT_TRUE(tree.remove(start * page, end * page));
            for (std::uint64_t at = start; at < end; ++at)
                model.erase(at);
            break;
        case 2:
            ASSERT_TRUE(tree.split(start * page));
            ASSERT_TRUE(tree.split(end * page));
            for (Area* one : tree)
                if (one->start >= start * page && one->end <= end * page)
                    one->protection = protection;
            tree.merge(start * page, end * page);
            for (std::uint64_t at = start; at < end; ++at)
                if (model.contains(at))
                    model[at] = protection;
            break;
        }
        ASSERT_EQ(tree.total_bytes(), model.size() * page);
        for (std::uint64_t at = 0; at < 230; ++at) {
            Area* found = tree.find(at * page);
            ASSERT_EQ(found != nullptr, model.contains(at)) << step << ' ' << at;
            if (found)
                ASSERT_EQ(found->protection, model[at]);
        }
        for (std::size_t i = 1; i < tree.size(); ++i) {
            ASSERT_LE(tree.at(i - 1).end, tree.at(i).start);
            if (tree.at(i - 1).end == tree.at(i).start)
                ASSERT_NE(tree.at(i - 1).protection, tree.at(i).protection);
        }
        const std::uint64_t wanted = 1 + random() % 10;
        const std::uint64_t free = tree.find_free_below(page, 230 * page, wanted * page);
        if (free != 0)
            ASSERT_TRUE(tree.is_free(free, free + wanted * page));
    }
}

} // namespace
} // namespace personality
