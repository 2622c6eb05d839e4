#include "lib/base/string.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(String, GrowsAndStaysTerminated) {
    String text;
    EXPECT_STREQ(text.c_str(), "");
    for (int i = 0; i < 1000; ++i)
        ASSERT_TRUE(text.push_back(static_cast<char>('a' + i % 26)));
    EXPECT_EQ(text.size(), 1000u);
    EXPECT_EQ(std::string_view(text.c_str()), text.view());
    text.truncate(3);
    EXPECT_EQ(text, "abc");
    EXPECT_STREQ(text.c_str(), "abc");
    text.clear();
    EXPECT_TRUE(text.empty());
}

TEST(String, JoinsParts) {
    EXPECT_EQ(*String::join("a", std::string_view("bc"), "", "d"), "abcd");
    EXPECT_EQ(*String::join(), "");
}

TEST(StringDeathTest, AnIndexOutOfRangeTraps) {
    const auto text = *String::from("abc");
    EXPECT_EQ(text[2], 'c');
    EXPECT_DEATH((void)text[3], "");
}

} // namespace
} // namespace base
