#include "services/engine/moment.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

constexpr std::int64_t second = 1'000'000'000, now = 1'700'000'000 * second;

TEST(Moment, IsSecondsWithAFraction) {
    EXPECT_EQ(parse_moment(""), std::nullopt);
    EXPECT_EQ(parse_moment("1700000000"), now);
    EXPECT_EQ(parse_moment("1700000000.5"), now + second / 2);
    EXPECT_EQ(parse_moment("1.0000000019"), second + 1);
    for (const char* text : {"x", "-1", "1.x", "1e3", "99999999999", " 1", "1.5.2"}) EXPECT_THROW(parse_moment(text), ApiError) << text;
}

TEST(Moment, MayLieADurationBack) {
    EXPECT_EQ(parse_past_moment("10m", now), now - 600 * second);
    EXPECT_EQ(parse_past_moment("1h30m", now), now - 5400 * second);
    EXPECT_EQ(parse_past_moment("1.5h", now), now - 5400 * second);
    EXPECT_EQ(parse_past_moment("24h1ms", now), now - 86400 * second - second / 1000);
    EXPECT_EQ(parse_past_moment("-10s", now), now + 10 * second);
}

TEST(Moment, MayBeADate) {
    EXPECT_EQ(parse_past_moment("2023-11-14T22:13:20Z", now), now);
    EXPECT_EQ(parse_past_moment("2023-11-14T22:13:20.123456789Z", now), now);
    EXPECT_EQ(parse_past_moment("2023-11-14T23:13:20+01:00", now), now);
    EXPECT_EQ(parse_past_moment("2023-11-14T22:13:20", now), now);
    EXPECT_EQ(parse_past_moment("2023-11-14T22:13", now), now - 20 * second);
    EXPECT_EQ(parse_past_moment("2023-11-14", now), now - 80'000 * second);
    EXPECT_EQ(parse_past_moment("1700000000.5", now), now + second / 2);
}

TEST(Moment, IsRefusedWhereItIsNone) {
    for (const char* text : {"", "h", "x", "10 m", "10m ", "10x", "1e3h", "..h", ".", "m10", "2023-13-01", "2023-02-30x", "1000000000000h", "-2400000h", "2400000h", "+", "-", "1h-2m"})
        EXPECT_THROW(parse_past_moment(text, now), ApiError) << text;
}

} // namespace
} // namespace engine
