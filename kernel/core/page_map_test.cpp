#include "kernel/core/page_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

namespace kernel {
namespace {

class PageMapTest : public testing::Test {
protected:
    void* allocate() {
        if (nodes_ == limit_) return nullptr;
        ++nodes_;
        return std::calloc(1, 4096);
    }
    base::Result<void> set(std::uint64_t page, std::uint64_t frame) {
        return map_.set(page, frame, [this] { return allocate(); });
    }
    bool truncate(std::uint64_t first, std::uint64_t work = UINT64_MAX) {
        return map_.truncate(
            first, work, [this](std::uint64_t frame) { dropped_ += frame != 0; },
            [this](void* node) {
                --nodes_;
                std::free(node);
            });
    }
    void TearDown() override {
        truncate(0);
        EXPECT_EQ(nodes_, 0u);
    }

    PageMap map_;
    std::size_t nodes_ = 0;
    std::size_t limit_ = SIZE_MAX;
    std::size_t dropped_ = 0;
};

TEST_F(PageMapTest, AgreesWithAMap) {
    std::map<std::uint64_t, std::uint64_t> expected;
    std::mt19937_64 random(7);
    for (int i = 0; i < 3000; ++i) {
        const std::uint64_t page = random() % (i % 3 == 0 ? PageMap::max_pages : i % 3 == 1 ? 600 : 300000);
        expected[page] = (random() | 1) << 12;
        ASSERT_TRUE(set(page, expected[page]));
    }
    for (const auto& [page, frame] : expected) ASSERT_EQ(map_.get(page), frame);
    EXPECT_EQ(map_.get(PageMap::max_pages), 0u);
    truncate(1000);
    for (const auto& [page, frame] : expected) ASSERT_EQ(map_.get(page), page < 1000 ? frame : 0);
}

TEST_F(PageMapTest, TruncatesInSteps) {
    // Dense at the begin, then one page in each leaf, so that most words are empty ones.
    std::set<std::uint64_t> pages;
    for (std::uint64_t page = 0; page < 3000; ++page) pages.insert(page);
    for (std::uint64_t page = 0; page < 700; ++page) pages.insert(page * PageMap::fan_out + 77);
    for (const std::uint64_t page : pages) ASSERT_TRUE(set(page, 0x1000));
    for (const std::uint64_t first : {std::uint64_t(2000), std::uint64_t(100), std::uint64_t(0)}) {
        std::size_t calls = 0;
        for (bool done = false; !done; ++calls) {
            const std::size_t dropped = dropped_, nodes = nodes_;
            done = truncate(first, PageMap::least_work);
            EXPECT_LE(dropped_ - dropped, PageMap::least_work / PageMap::drop_work);
            EXPECT_LE(nodes - nodes_, PageMap::least_work / PageMap::fan_out);
            // Each comes forward, and between two of them the map can be used.
            EXPECT_TRUE(done || dropped_ > dropped || nodes_ < nodes);
            for (std::uint64_t page = 0; page < std::min<std::uint64_t>(first, 3000); page += 7) ASSERT_EQ(map_.get(page), 0x1000u);
            if (!done && calls % 64 == 0) ASSERT_TRUE(set(first / 2, 0x1000));
            ASSERT_LT(calls, 10000u);
        }
        EXPECT_GT(calls, 2u);
        EXPECT_EQ(map_.next(first, SIZE_MAX), PageMap::max_pages);
        EXPECT_TRUE(truncate(first, PageMap::least_work));
    }
    EXPECT_EQ(nodes_, 0u);
}

TEST_F(PageMapTest, FindsTheNextFrame) {
    EXPECT_EQ(map_.next(0, SIZE_MAX), PageMap::max_pages);
    const std::set<std::uint64_t> pages = {0, 1, 511, 513, 70000, PageMap::max_pages - 1};
    for (const std::uint64_t page : pages) ASSERT_TRUE(set(page, 0x1000));
    for (const std::size_t words : {std::size_t(0), std::size_t(7), SIZE_MAX}) {
        std::set<std::uint64_t> met;
        std::size_t calls = 0;
        for (std::uint64_t page = map_.next(0, words); page < PageMap::max_pages; page = map_.next(page, words), ++calls)
            if (map_.get(page)) met.insert(page++);
        EXPECT_EQ(met, pages);
        // Empty nodes are skipped whole.
        EXPECT_LT(calls, 6000u);
    }
    EXPECT_EQ(map_.next(PageMap::max_pages, SIZE_MAX), PageMap::max_pages);
}

TEST_F(PageMapTest, FailsWholeWhereNodesEnd) {
    ASSERT_TRUE(set(0, 0x1000));
    limit_ = nodes_ + 1;
    EXPECT_EQ(set(100000, 0x2000).error(), abi::Error::no_memory);
    EXPECT_EQ(map_.get(0), 0x1000u);
    EXPECT_EQ(map_.get(100000), 0u);
    limit_ = SIZE_MAX;
    EXPECT_TRUE(set(100000, 0x2000));
    EXPECT_EQ(map_.get(0), 0x1000u);
}

} // namespace
} // namespace kernel
