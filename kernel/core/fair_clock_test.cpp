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
        if (other.virtual_time < running->virtual_time) running = &other;
    running->virtual_time += slice * usual / running->weight;
    running->used += slice;
    std::uint64_t least = UINT64_MAX;
    for (const Spinner& other : spinners)
        if (&other != running && other.virtual_time < least) least = other.virtual_time;
    clock.advance(running->virtual_time, least);
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

TEST(FairClock, SharesFollowTheWeights) {
    FairClock clock;
    std::vector<Spinner> spinners(2);
    spinners[1].weight = 3 * usual;
    for (int i = 0; i < 40'000; ++i) run(clock, spinners);
    EXPECT_NEAR(static_cast<double>(spinners[1].used) / static_cast<double>(spinners[0].used), 3.0, 0.03);
}

} // namespace
} // namespace kernel
