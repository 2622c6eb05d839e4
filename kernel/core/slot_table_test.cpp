#include "kernel/core/slot_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

namespace kernel {
namespace {

struct Pages {
    std::size_t limit = SIZE_MAX;
    std::size_t in_use = 0;
    void* allocate_page() {
        if (in_use == limit) return nullptr;
        ++in_use;
        return std::calloc(1, 4096);
    }
    void free_page(void* page) {
        --in_use;
        std::free(page);
    }
};

struct Entry {
    std::uint64_t value = 0;
    std::uint64_t padding[4] = {};
};

TEST(SlotTable, IndicesPastTheEndBecomeNothing) {
    constexpr std::uint64_t largest = UINT32_MAX;
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{65}, largest}) {
        EXPECT_EQ(index_within(0, size), 0u);
        EXPECT_EQ(index_within(size - 1, size), size - 1);
        EXPECT_EQ(index_within(size, size), 0u);
        EXPECT_EQ(index_within(size + 1, size), 0u);
        EXPECT_EQ(index_within(largest, size), 0u);
    }
    EXPECT_EQ(index_within(7, 0), 0u);
}

TEST(SlotTable, OldHandlesNameNothing) {
    Pages pages;
    SlotTable<Entry, Pages> table(pages);
    const auto first = table.insert({1, {}});
    ASSERT_TRUE(first);
    Entry removed;
    EXPECT_TRUE(table.remove(*first, removed));
    EXPECT_EQ(removed.value, 1u);
    EXPECT_FALSE(table.remove(*first, removed));
    const auto second = table.insert({2, {}});
    EXPECT_NE(*first, *second);
    EXPECT_EQ(table.find(*first), nullptr);
    EXPECT_EQ(table.find(*second)->value, 2u);
    EXPECT_EQ(table.find(0), nullptr);
    EXPECT_EQ(table.find(UINT64_MAX), nullptr);
}

TEST(SlotTable, AgreesWithAMapUnderRandomUse) {
    Pages pages;
    SlotTable<Entry, Pages> table(pages);
    std::map<abi::Handle, std::uint64_t> expected;
    std::mt19937_64 random(1);
    for (std::uint64_t step = 0; step < 20000; ++step) {
        if (random() % 2 || expected.empty()) {
            const auto handle = table.insert({step, {}});
            ASSERT_TRUE(handle);
            ASSERT_TRUE(expected.emplace(*handle, step).second);
        } else {
            auto victim = expected.begin();
            std::advance(victim, random() % expected.size());
            Entry removed;
            ASSERT_TRUE(table.remove(victim->first, removed));
            ASSERT_EQ(removed.value, victim->second);
            expected.erase(victim);
        }
        ASSERT_EQ(table.count(), expected.size());
    }
    for (const auto& [handle, value] : expected) EXPECT_EQ(table.find(handle)->value, value);
}

TEST(SlotTable, IsFullAtItsLimitAndGivesItsPagesBack) {
    Pages pages;
    {
        SlotTable<Entry, Pages> table(pages);
        std::size_t count = 0;
        base::Result<abi::Handle> handle;
        while ((handle = table.insert({count, {}}))) ++count;
        EXPECT_EQ(handle.error(), abi::Error::no_slots);
        EXPECT_EQ(count, 512u * 64u);
    }
    EXPECT_EQ(pages.in_use, 0u);
    pages.limit = 1;
    SlotTable<Entry, Pages> table(pages);
    EXPECT_EQ(table.insert({}).error(), abi::Error::no_memory);
    pages.limit = 2;
    EXPECT_TRUE(table.insert({}));
}

TEST(SlotTable, ClosingAllVisitsEachEntryOnce) {
    Pages pages;
    SlotTable<Entry, Pages> table(pages);
    for (std::uint64_t i = 1; i <= 200; ++i) ASSERT_TRUE(table.insert({i, {}}));
    std::uint64_t sum = 0;
    table.clear([&](Entry&& entry) { sum += entry.value; });
    EXPECT_EQ(sum, 200u * 201u / 2);
    EXPECT_EQ(table.count(), 0u);
}

TEST(SlotTable, IsTornDownInSteps) {
    Pages pages;
    SlotTable<Entry, Pages> table(pages);
    std::map<std::uint64_t, abi::Handle> handles;
    for (std::uint64_t i = 1; i <= 1000; ++i) handles[i] = *table.insert({i, {}});
    Entry entry;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        if (i % 300 != 0) ASSERT_TRUE(table.remove(handles[i], entry));
    }
    std::uint32_t cursor = 0;
    std::uint64_t sum = 0;
    std::size_t empty = 0;
    for (;;) {
        const std::uint32_t before = cursor;
        entry = {};
        const bool more = table.take_next(cursor, entry, 50);
        EXPECT_LE(cursor - before, 50u);
        if (!more) break;
        sum += entry.value;
        empty += entry.value == 0;
    }
    EXPECT_EQ(sum, 300u + 600u + 900u);
    EXPECT_GT(empty, 900u / 64);
    EXPECT_EQ(table.count(), 0u);
    for (std::size_t before = pages.in_use; table.free_pages(3); before = pages.in_use) {
        EXPECT_EQ(before - pages.in_use, 3u);
        EXPECT_EQ(table.find(handles[1000]), nullptr);
    }
    EXPECT_EQ(pages.in_use, 0u);
    EXPECT_TRUE(table.insert({7, {}}));
}

} // namespace
} // namespace kernel
