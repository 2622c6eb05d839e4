#include "kernel/core/audit_ring.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kernel {
namespace {

struct AuditRingTest : testing::Test {
    std::vector<abi::AuditRecord> places{AuditRing::capacity};
    AuditRing ring{places.data()};

    bool put(std::uint64_t object, std::uint32_t limit = AuditRing::capacity) {
        if (!ring.has_place(limit)) return false;
        ring.place().object = object;
        ring.publish();
        return true;
    }
};

TEST_F(AuditRingTest, GivesWhatWasPutInItsOrder) {
    EXPECT_EQ(ring.oldest(), nullptr);
    EXPECT_TRUE(put(1));
    EXPECT_TRUE(put(2));
    EXPECT_EQ(ring.used(), 2u);
    ASSERT_NE(ring.oldest(), nullptr);
    EXPECT_EQ(ring.oldest()->object, 1u);
    EXPECT_EQ(ring.oldest()->object, 1u);
    ring.drop_oldest();
    EXPECT_EQ(ring.oldest()->object, 2u);
    ring.drop_oldest();
    EXPECT_EQ(ring.oldest(), nullptr);
}

TEST_F(AuditRingTest, IsFullAtItsLimit) {
    for (std::uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(put(i, 10));
    EXPECT_FALSE(put(10, 10));
    for (std::uint64_t i = 10; i < AuditRing::capacity; ++i) EXPECT_TRUE(put(i));
    EXPECT_FALSE(put(0));
    ring.drop_oldest();
    EXPECT_TRUE(put(0));
}

TEST_F(AuditRingTest, TellsOnceWhatWasLost) {
    EXPECT_FALSE(ring.has_lost());
    ring.lose();
    ring.lose();
    EXPECT_TRUE(ring.has_lost());
    EXPECT_EQ(ring.take_lost(), 2u);
    EXPECT_FALSE(ring.has_lost());
    EXPECT_EQ(ring.take_lost(), 0u);
}

// One thread writes and another one reads: none is lost, doubled or out of order.
TEST_F(AuditRingTest, OneWritesAndAnotherReads) {
    constexpr std::uint64_t all = 100'000;
    std::thread writer([this] {
        for (std::uint64_t i = 0; i < all;) {
            if (put(i)) ++i;
            else std::this_thread::yield();
        }
    });
    for (std::uint64_t i = 0; i < all;) {
        const abi::AuditRecord* const record = ring.oldest();
        if (!record) {
            std::this_thread::yield();
            continue;
        }
        ASSERT_EQ(record->object, i++);
        ring.drop_oldest();
    }
    writer.join();
    EXPECT_EQ(ring.oldest(), nullptr);
}

} // namespace
} // namespace kernel
