#include "servers/log/audit_store.hpp"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "servers/log/audit_view.hpp"

namespace logging {
namespace {

using base::Error;

constexpr std::uint64_t capacity = 5;

struct alignas(abi::page_size) Page {
    std::byte bytes[abi::page_size];
};

abi::AuditBatch batch(std::uint64_t sequence, std::uint64_t boot = 7) {
    abi::AuditBatch made{};
    made.magic = abi::audit_batch_magic;
    made.count = 1;
    made.sequence = sequence;
    made.boot = boot;
    std::memset(made.digest, static_cast<int>(sequence), sizeof made.digest);
    made.records[0].time = sequence * 1000;
    return made;
}

struct AuditStoreTest : testing::Test {
    AuditStoreTest() : pages(1 + capacity) {}
    std::span<std::byte> memory() { return std::as_writable_bytes(std::span(pages)); }
    AuditStore adopt() { return *AuditStore::adopt(memory()); }
    abi::AuditStoreHeader& header() { return *reinterpret_cast<abi::AuditStoreHeader*>(memory().data()); }
    AuditStore filled(std::uint64_t count) {
        AuditStore store = adopt();
        for (std::uint64_t sequence = store.last() + 1; sequence <= count; ++sequence)
            EXPECT_TRUE(store.add(batch(sequence)));
        return store;
    }
    std::vector<std::uint64_t> seen(std::uint64_t from = 0) {
        std::vector<std::uint64_t> sequences;
        abi::AuditBatch found;
        for (const AuditView view(memory()); view.find(from, found); from = found.sequence + 1) {
            sequences.push_back(found.sequence);
            const abi::AuditBatch expected = batch(found.sequence, found.boot);
            EXPECT_EQ(std::memcmp(&found, &expected, sizeof found), 0);
        }
        return sequences;
    }
    std::vector<Page> pages;
};
using Sequences = std::vector<std::uint64_t>;

TEST_F(AuditStoreTest, KeepsTheLastOnes) {
    AuditStore store = adopt();
    EXPECT_EQ(store.last(), 0u);
    EXPECT_EQ(header().first, 1u);
    EXPECT_EQ(header().capacity, capacity);
    EXPECT_EQ(seen(), Sequences());
    store = filled(5);
    EXPECT_EQ(seen(), (Sequences{1, 2, 3, 4, 5}));
    store = filled(13);
    EXPECT_EQ(header().boot, 7u);
    EXPECT_EQ(seen(), (Sequences{9, 10, 11, 12, 13}));
    EXPECT_EQ(seen(12), (Sequences{12, 13}));
    EXPECT_EQ(seen(14), Sequences());
    EXPECT_EQ(seen(UINT64_MAX), Sequences());
    EXPECT_EQ(store.newest().sequence, 13u);
}

TEST_F(AuditStoreTest, RefusesWhatDoesNotFollow) {
    AuditStore store = adopt();
    EXPECT_EQ(store.add(batch(0)).error(), Error::broken);
    EXPECT_TRUE(store.add(batch(1)));
    EXPECT_TRUE(store.add(batch(2)));
    for (const std::uint64_t sequence : {0ull, 1ull, 2ull, 4ull, 3ull + capacity, ~0ull})
        EXPECT_EQ(store.add(batch(sequence)).error(), Error::broken) << sequence;
    EXPECT_EQ(store.add(batch(3, 8)).error(), Error::broken); // of another boot, and not its first
    for (const std::uint32_t count : {0u, 63u, UINT32_MAX}) {
        abi::AuditBatch bad = batch(3);
        bad.count = count;
        EXPECT_EQ(store.add(bad).error(), Error::broken);
    }
    abi::AuditBatch bad = batch(3);
    bad.magic ^= 1;
    EXPECT_EQ(store.add(bad).error(), Error::broken);
    EXPECT_EQ(seen(), (Sequences{1, 2}));
}

TEST_F(AuditStoreTest, GoesOnWhereThePredecessorWas) {
    for (const std::uint64_t count : {0ull, 1ull, 5ull, 6ull, 17ull}) {
        filled(count);
        EXPECT_EQ(adopt().last(), count);
    }
    EXPECT_EQ(seen(), (Sequences{13, 14, 15, 16, 17}));
    // It died while it wrote the next one.
    header().first = 14;
    std::memset(memory().data() + (1 + 18 % capacity) * abi::page_size, 0xee, abi::page_size / 2);
    AuditStore store = adopt();
    EXPECT_EQ(store.last(), 17u);
    EXPECT_EQ(seen(), (Sequences{14, 15, 16, 17}));
    EXPECT_TRUE(store.add(batch(18)));
    EXPECT_EQ(seen(), (Sequences{14, 15, 16, 17, 18}));
}

TEST_F(AuditStoreTest, AnotherBootBeginsAnew) {
    AuditStore store = filled(8);
    EXPECT_TRUE(store.add(batch(1, 9)));
    EXPECT_EQ(header().boot, 9u);
    EXPECT_EQ(seen(), (Sequences{1}));
    EXPECT_EQ(adopt().last(), 1u);
}

// An empty one begins with what is there, and says so.
TEST_F(AuditStoreTest, BeginsWithAnyBatch) {
    AuditStore store = adopt();
    EXPECT_EQ(store.begun(), 0u);
    EXPECT_TRUE(store.add(batch(1000)));
    EXPECT_EQ(header().first, 1000u);
    EXPECT_EQ(AuditView(memory()).begun(), 1000u);
    EXPECT_EQ(adopt().begun(), 1000u);
    EXPECT_EQ(store.add(batch(1002)).error(), Error::broken);
    for (std::uint64_t sequence = 1001; sequence < 1008; ++sequence)
        EXPECT_TRUE(store.add(batch(sequence)));
    EXPECT_EQ(seen(), (Sequences{1003, 1004, 1005, 1006, 1007}));
    EXPECT_EQ(adopt().begun(), 1000u);
    store.clear();
    EXPECT_EQ(store.begun(), 0u);
    EXPECT_EQ(seen(), Sequences());
    EXPECT_TRUE(store.add(batch(3)));
    EXPECT_EQ(seen(), (Sequences{3}));
    EXPECT_EQ(adopt().last(), 3u);
}

TEST_F(AuditStoreTest, AReaderFindsTheNewest) {
    abi::AuditBatch found;
    EXPECT_FALSE(AuditView().newest(found));
    EXPECT_EQ(AuditView().begun(), 0u);
    filled(0);
    EXPECT_FALSE(AuditView(memory()).newest(found));
    filled(13);
    ASSERT_TRUE(AuditView(memory()).newest(found));
    EXPECT_EQ(found.sequence, 13u);
    EXPECT_EQ(AuditView(memory()).begun(), 1u);
}

TEST_F(AuditStoreTest, WhatIsDamagedBeginsAnew) {
    const auto damaged = [&](auto&& damage) {
        std::fill(pages.begin(), pages.end(), Page{});
        filled(8);
        damage();
        AuditStore store = adopt();
        EXPECT_EQ(store.last(), 0u);
        EXPECT_EQ(seen(), Sequences());
        EXPECT_TRUE(store.add(batch(1)));
        EXPECT_EQ(seen(), (Sequences{1}));
    };
    damaged([&] { header().magic ^= 1; });
    damaged([&] { header().capacity += 1; });
    damaged([&] { header().first = 0; });
    damaged([&] { header().first = 9; });
    damaged([&] { header().first = 3; });
    damaged([&] { header().last = 7, header().first = 8; });
    damaged([&] { header().last = 9; });
    damaged([&] { header().last = UINT64_MAX; });
    damaged([&] { header().last = 0; });
    damaged([&] { header().begun = 0; });
    damaged([&] { header().begun = 5; });
    damaged([&] { header().boot = 8; });
    damaged([&] { memory()[(1 + 8 % capacity) * abi::page_size] ^= std::byte{1}; });
}

TEST_F(AuditStoreTest, NeedsRoom) {
    EXPECT_EQ(AuditStore::adopt({}).error(), Error::bad_argument);
    EXPECT_EQ(AuditStore::adopt(memory().first(3 * abi::page_size - 1)).error(), Error::bad_argument);
    EXPECT_TRUE(AuditStore::adopt(memory().first(3 * abi::page_size)));
}

// A reader stays within what it has mapped, and so does a server, whatever the header says.
TEST_F(AuditStoreTest, AReaderBearsEveryHeader) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20'000; ++round) {
        filled(8);
        for (std::uint64_t* const field : {&header().first, &header().last})
            if (random() % 2 != 0)
                *field = random() >> random() % 64;
        abi::AuditBatch found;
        (void)AuditView(memory()).find(random() >> random() % 64, found);
        (void)adopt();
    }
    for (const std::size_t size : {std::size_t{0}, sizeof(abi::AuditStoreHeader), std::size_t{abi::page_size}}) {
        abi::AuditBatch found;
        EXPECT_FALSE(AuditView(memory().first(size)).find(0, found));
    }
}

} // namespace
} // namespace logging
