#include "lib/base/format.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Format, WritesNumbersAndText) {
    char buffer[128];
    EXPECT_EQ(format(buffer, "a ", 0u, ' ', -5, ' ', Hex{0xbeef, 8}, ' ', INT64_MIN, ' ', UINT64_MAX, ' ', true),
              "a 0 -5 0000beef -9223372036854775808 18446744073709551615 true");
}

TEST(Format, CutsWhatDoesNotFit) {
    char buffer[4];
    Formatter formatter(buffer);
    formatter << "abc";
    EXPECT_FALSE(formatter.truncated());
    formatter << 123u;
    EXPECT_TRUE(formatter.truncated());
    EXPECT_EQ(formatter.view(), "abc1");
}

TEST(Format, ParsesOnlyWholeNumbers) {
    EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_decimal("18446744073709551616").error(), Error::overflow);
    EXPECT_EQ(parse_decimal("99999999999999999999").error(), Error::overflow);
    for (const char* bad : {"", "-1", "1 ", "0x1", "+1"})
        EXPECT_EQ(parse_decimal(bad).error(), Error::bad_argument) << bad;
}

} // namespace
} // namespace base
