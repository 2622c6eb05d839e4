#include "services/common/text.hpp"

#include <gtest/gtest.h>

namespace services {
namespace {

TEST(ParseTime, ReadsWhatImagesTell) {
    EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_time("2024-02-29T12:34:56Z"), 1709210096);
    EXPECT_EQ(parse_time("2024-02-29T12:34:56.987654321Z"), 1709210096);
    EXPECT_EQ(parse_time("2024-02-29T12:34:56+02:30"), 1709210096 - 9000);
    EXPECT_EQ(parse_time("2024-02-29t12:34:56.5-01:00"), 1709210096 + 3600);
    EXPECT_EQ(parse_time("0001-01-01T00:00:00Z"), -62135596800);
    EXPECT_EQ(parse_time("9999-12-31T23:59:60z"), 253402300800);
}

TEST(ParseTime, TakesNothingElse) {
    for (const char* text : {"", "x", "2024", "2024-02-29", "2024-02-29T12:34:56", "2023-02-29T12:34:56Z", "2024-13-01T00:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T12:60:00Z", "2024-02-29T12:34:61Z",
                             "2024-02-29T12:34:56.Z", "2024-02-29T12:34:56.5", "2024-02-29T12:34:5Z", "2024-02-29T12:34:56+0230", "2024-02-29T12:34:56+24:00", "2024-02-29T12:34:56ZZ",
                             "-024-02-29T12:34:56Z", "2024/02/29T12:34:56Z", "2024-02-29T12:34:"})
        EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

TEST(ParseTime, IsTheOtherWayRound) {
    for (const std::int64_t seconds : {1LL, 951782400LL, 1709210096LL, 4102444800LL}) EXPECT_EQ(parse_time(format_time(seconds * 1'000'000'000)), seconds);
}

} // namespace
} // namespace services
