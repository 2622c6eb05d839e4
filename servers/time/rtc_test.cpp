#include "servers/time/rtc.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace timekeeping {
namespace {

std::uint8_t bcd(unsigned value) { return static_cast<std::uint8_t>(value / 10 << 4 | value % 10); }

TEST(Rtc, EveryFormatOfAnyMoment) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        const std::time_t moment = static_cast<std::time_t>(random() % 4'102'444'800); // until 2100
        std::tm parts{};
        gmtime_r(&moment, &parts);
        const unsigned year = static_cast<unsigned>(parts.tm_year) + 1900;
        for (const std::uint8_t status : {0, 2, 4, 6}) {
            const auto put = [&](int number) { return (status & 4) != 0 ? static_cast<std::uint8_t>(number) : bcd(static_cast<unsigned>(number)); };
            std::uint8_t hour = put(parts.tm_hour);
            if ((status & 2) == 0)
                hour = static_cast<std::uint8_t>(put((parts.tm_hour + 11) % 12 + 1) | (parts.tm_hour >= 12 ? 0x80 : 0));
            const RtcRegisters registers{put(parts.tm_sec), put(parts.tm_min), hour, put(parts.tm_mday), put(parts.tm_mon + 1), put(static_cast<int>(year % 100)),
                                         put(static_cast<int>(year / 100)), status};
            ASSERT_EQ(seconds_since_1970(registers), static_cast<std::uint64_t>(moment)) << moment << " status " << int{status};
        }
    }
}

TEST(Rtc, WithoutACentury) {
    EXPECT_EQ(seconds_since_1970({0, 0, 0, 1, 1, 0x70, 0, 2}), 0u);
    EXPECT_EQ(seconds_since_1970({0, 0, 0, 1, 1, 0x00, 0, 2}), 946'684'800u);
}

TEST(Rtc, NonsenseIsNoDate) {
    const RtcRegisters good{0, 0, 0, 1, 1, 0x26, 0x20, 2};
    EXPECT_TRUE(seconds_since_1970(good));
    for (auto member : {&RtcRegisters::second, &RtcRegisters::minute, &RtcRegisters::hour, &RtcRegisters::day, &RtcRegisters::month, &RtcRegisters::year}) {
        RtcRegisters bad = good;
        bad.*member = 0xff;
        EXPECT_FALSE(seconds_since_1970(bad));
    }
    EXPECT_FALSE(seconds_since_1970({0, 0, 0, 0x30, 2, 0x26, 0x20, 2}));
    EXPECT_FALSE(seconds_since_1970({0, 0, 0, 0, 1, 0x26, 0x20, 2}));
    EXPECT_FALSE(seconds_since_1970({0, 0, 0x13, 1, 1, 0x26, 0x20, 0}));
}

} // namespace
} // namespace timekeeping
