#include "kernel/core/frame_cache.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace kernel {
namespace {

TEST(FrameCacheTest, KeepsNothingWithoutALimit) {
    FrameCache cache;
    EXPECT_TRUE(cache.is_full());
    EXPECT_TRUE(cache.has_all_zeroed());
    EXPECT_EQ(cache.batch(), 0u);
    EXPECT_EQ(cache.take_any(), 0u);
    EXPECT_EQ(cache.take_zeroed(), 0u);
}

TEST(FrameCacheTest, KeepsNoMoreThanItHasPlaceFor) {
    for (const unsigned limit : {0u, 1u, 7u, FrameCache::most, FrameCache::most + 1, 1000u}) {
        FrameCache cache;
        cache.set_limit(limit);
        unsigned kept = 0;
        for (std::uint64_t frame = 4096; !cache.is_full(); frame += 4096, ++kept) cache.give(frame);
        EXPECT_EQ(kept, std::min(limit, FrameCache::most));
        EXPECT_FALSE(limit != 0 && cache.has_all_zeroed());
        for (std::uint64_t frame = 1 << 20; !cache.has_all_zeroed(); frame += 4096, ++kept) cache.give_zeroed(frame);
        EXPECT_EQ(kept, 2 * std::min(limit, FrameCache::most));
        EXPECT_EQ(cache.count(), kept);
    }
}

TEST(FrameCacheTest, ABatchFitsAndLeavesSomethingOfBothSides) {
    for (unsigned limit = 1; limit <= FrameCache::most; ++limit) {
        FrameCache cache;
        cache.set_limit(limit);
        EXPECT_GE(cache.batch(), 1u);
        EXPECT_LE(cache.batch(), limit);
        EXPECT_TRUE(limit == 1 || cache.batch() < limit);
    }
}

TEST(FrameCacheTest, GivesWhatCameLast) {
    FrameCache cache;
    cache.set_limit(4);
    cache.give(0x1000);
    cache.give(0x2000);
    cache.give_zeroed(0x3000);
    EXPECT_EQ(cache.take_any(), 0x2000u);
    EXPECT_EQ(cache.take(), 0x1000u);
    EXPECT_EQ(cache.take(), 0u);
    EXPECT_EQ(cache.take_any(), 0x3000u);
    EXPECT_EQ(cache.count(), 0u);
}

// Whatever is done: each frame comes out once, of the kind that it was given as.
TEST(FrameCacheTest, NothingIsLostAndNothingChangesItsKind) {
    std::mt19937_64 random(11);
    for (const unsigned limit : {1u, 2u, 5u, 16u, FrameCache::most}) {
        FrameCache cache;
        cache.set_limit(limit);
        std::set<std::uint64_t> returned, zeroed;
        std::uint64_t next = 0;
        for (int i = 0; i < 20000; ++i) {
            switch (random() % 5) {
            case 0:
                if (!cache.is_full()) returned.insert(next += 4096), cache.give(next);
                break;
            case 1:
                if (!cache.has_all_zeroed()) zeroed.insert(next += 4096), cache.give_zeroed(next);
                break;
            case 2: {
                const std::uint64_t frame = cache.take();
                ASSERT_EQ(frame == 0, returned.empty());
                ASSERT_EQ(returned.erase(frame), frame != 0);
                break;
            }
            case 3: {
                const std::uint64_t frame = cache.take_zeroed();
                ASSERT_EQ(frame == 0, zeroed.empty());
                ASSERT_EQ(zeroed.erase(frame), frame != 0);
                break;
            }
            default: {
                const bool plain = !returned.empty();
                const std::uint64_t frame = cache.take_any();
                ASSERT_EQ(frame == 0, returned.empty() && zeroed.empty());
                ASSERT_EQ((plain ? returned : zeroed).erase(frame), frame != 0);
            }
            }
            ASSERT_EQ(cache.count(), returned.size() + zeroed.size());
            ASSERT_EQ(cache.is_full(), returned.size() == limit);
            ASSERT_EQ(cache.has_all_zeroed(), zeroed.size() == limit);
        }
    }
}

} // namespace
} // namespace kernel
