#include "lib/native/timers.hpp"

#include <gtest/gtest.h>

namespace {

struct Counter final : native::Timer {
    unsigned fired = 0;
    void on_time() override { ++fired; }
};

TEST(Timers, SeveralDeadlinesAreKeptAtOnce) {
    native::Timers timers;
    Counter one, two, three;
    EXPECT_EQ(timers.first(), abi::never);
    timers.set(two, 200);
    timers.set(three, 300);
    timers.set(one, 100);
    EXPECT_EQ(timers.first(), 100u);
    EXPECT_EQ(timers.take(99), nullptr);
    EXPECT_EQ(timers.take(250), &one);
    EXPECT_EQ(timers.take(250), &two);
    EXPECT_EQ(timers.take(250), nullptr);
    EXPECT_EQ(timers.first(), 300u);
}

TEST(Timers, ATimerHasItsLatestDeadlineAlone) {
    native::Timers timers;
    Counter one, two;
    timers.set(one, 100);
    timers.set(two, 200);
    timers.set(one, 300);
    EXPECT_EQ(timers.take(1000), &two);
    EXPECT_EQ(timers.take(1000), &one);
    EXPECT_EQ(timers.take(1000), nullptr);
    timers.set(one, 100);
    timers.set(one, abi::never);
    timers.set(two, abi::never);
    EXPECT_EQ(timers.first(), abi::never);
}

TEST(Timers, WhoIsTakenMaySetItselfAgain) {
    native::Timers timers;
    Counter one, two;
    timers.set(one, 100);
    timers.set(two, 100);
    EXPECT_EQ(timers.take(100), &one);
    timers.set(one, 100);
    EXPECT_EQ(timers.take(100), &two); // in the order in which they were set
    EXPECT_EQ(timers.take(100), &one);
}

} // namespace
