#include "kernel/core/fair_clock.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace kernel {
namespace {

constexpr std::uint64_t slice = 4'000'000;
constexpr std::uint64_t usual = 1024;

struct Spinner {
    std::uint64_t weight = usual;
    std::uint64_t virtual_time = 0;
    std::uint64_t used = 0;
};

// Lets the one that is furthest behind run for a slice, as the queue does.
void run(FairClock& clock, std::vector<Spinner>& spinners) {
    Spinner* running = &spinners.front();
    for (Spinner& other : spinners)
        if (FairClock::ahead(other.virtual_time, running->virtual_time) < 0) running = &other;
    running->virtual_time = clock.charge(running->virtual_time, slice * usual / running->weight);
    running->used += slice;
    const Spinner* least = nullptr;
    for (const Spinner& other : spinners)
        if (&other != running && (least == nullptr || FairClock::ahead(other.virtual_time, least->virtual_time) < 0)) least = &other;
    clock.advance(running->virtual_time, least->virtual_time);
}

TEST(FairClock, WhoWakesGoesBeforeAllSpinners) {
    FairClock clock;
    std::vector<Spinner> spinners(18);
    for (int i = 0; i < 10'000; ++i) {
        run(clock, spinners);
        if (i < 100) continue;
        const std::uint64_t woken = clock.place(0);
        for (const Spinner& other : spinners) ASSERT_TRUE(FairClock::preempts(woken, other.virtual_time));
    }
}

TEST(FairClock, LightTaskDoesNotTakeTheClockAlong) {
    FairClock clock;
    std::vector<Spinner> spinners(18);
    spinners[0].weight = 2;
    for (int i = 0; i < 10'000; ++i) {
        run(clock, spinners);
        if (i < 100) continue;
        const std::uint64_t woken = clock.place(0);
        for (const Spinner& other : spinners) ASSERT_TRUE(FairClock::preempts(woken, other.virtual_time));
    }
}

TEST(FairClock, SleepCollectsNoMoreThanTheCredit) {
    FairClock clock;
    clock.advance(10'000'000'000, 10'000'000'000);
    EXPECT_EQ(clock.place(0), 10'000'000'000 - FairClock::credit_nanoseconds);
    EXPECT_EQ(clock.place(11'000'000'000), 11'000'000'000u);
}

TEST(FairClock, NeverGoesBack) {
    FairClock clock;
    clock.advance(5'000'000, 6'000'000);
    clock.advance(1'000'000, 2'000'000);
    EXPECT_EQ(clock.now(), 5'000'000u);
}

TEST(FairClock, EqualsDoNotPreempt) {
    EXPECT_FALSE(FairClock::preempts(7'000'000, 7'000'000));
    EXPECT_FALSE(FairClock::preempts(7'000'000 - FairClock::granularity_nanoseconds, 7'000'000));
    EXPECT_TRUE(FairClock::preempts(7'000'000 - FairClock::granularity_nanoseconds - 1, 7'000'000));
}

// Nothing is ever compared but how far two times are apart.
TEST(FairClock, TimesGoRound) {
    for (const std::uint64_t begin : {std::uint64_t{0}, std::uint64_t{1} << 63, UINT64_MAX - 20'000'000}) {
        FairClock clock;
        for (std::uint64_t to = 0; to < begin; to += std::min(std::uint64_t{1} << 61, begin - to)) clock.advance(to, to);
        clock.advance(begin, begin);
        ASSERT_EQ(clock.now(), begin);
        std::vector<Spinner> spinners(4);
        for (Spinner& each : spinners) each.virtual_time = begin;
        spinners[1].weight = 3 * usual;
        for (int i = 0; i < 10'000; ++i) run(clock, spinners);
        EXPECT_NEAR(static_cast<double>(spinners[1].used) / static_cast<double>(spinners[0].used), 3.0, 0.03);
        EXPECT_TRUE(FairClock::preempts(clock.place(begin), spinners[0].virtual_time));
    }
}

TEST(FairClock, NobodyIsFurtherAheadThanTheFurthest) {
    FairClock clock;
    clock.advance(UINT64_MAX - 5, UINT64_MAX - 5);
    const std::uint64_t furthest = clock.now() + FairClock::furthest_nanoseconds;
    EXPECT_EQ(clock.charge(clock.now() - 10, 7), clock.now() - 3);
    EXPECT_EQ(clock.charge(clock.now(), UINT64_MAX), furthest);
    EXPECT_EQ(clock.charge(furthest, UINT64_MAX), furthest);
    EXPECT_EQ(clock.place(furthest), furthest);
    // From before the times went round.
    EXPECT_EQ(clock.place(furthest + 1), clock.now() - FairClock::credit_nanoseconds);
}

TEST(FairClock, SharesFollowTheWeights) {
    FairClock clock;
    std::vector<Spinner> spinners(2);
    spinners[1].weight = 3 * usual;
    for (int i = 0; i < 40'000; ++i) run(clock, spinners);
    EXPECT_NEAR(static_cast<double>(spinners[1].used) / static_cast<double>(spinners[0].used), 3.0, 0.03);
}

} // namespace
} // namespace kernel
