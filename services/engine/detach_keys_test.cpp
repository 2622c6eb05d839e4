#include "services/engine/detach_keys.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

TEST(DetachKeys, PassesWhatIsTyped) {
    DetachKeys keys("");
    EXPECT_EQ(keys.filter("hello\n"), "hello\n");
    EXPECT_FALSE(keys.detached());
}

TEST(DetachKeys, HoldsAnUnfinishedSequenceBack) {
    DetachKeys keys("");
    EXPECT_EQ(keys.filter("a\x10"), "a");
    EXPECT_EQ(keys.filter("b"), "\x10"
                                "b");
    EXPECT_EQ(keys.filter("\x10\x10"), "\x10");
    EXPECT_EQ(keys.filter("\x11never seen"), "");
    EXPECT_TRUE(keys.detached());
}

TEST(DetachKeys, TakesOtherKeys) {
    DetachKeys keys("ctrl-a,x,ctrl-]");
    EXPECT_EQ(keys.filter("\x10\x11\x01x\x1d"), "\x10\x11");
    EXPECT_TRUE(keys.detached());
}

TEST(DetachKeys, RefusesWhatIsNoKey) {
    for (const char* text : {",", "ctrl-", "ctrl-1", "ctrl-ab", "ab", "a,,b"})
        EXPECT_THROW(DetachKeys{text}, ApiError) << text;
}

} // namespace
} // namespace engine
