#include "services/engine/target.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

int status_of(std::string_view text) {
    try {
        parse_target(text);
        return 0;
    } catch (const ApiError& error) {
        return error.status;
    }
}

TEST(Target, SplitsVersionPathAndQuery) {
    const Target target = parse_target("/v1.45/containers/a%20b/json?all=1&filters=%7B%7D&name=x+y&empty");
    EXPECT_EQ(target.version, (ApiVersion{1, 45}));
    EXPECT_EQ(target.segments, (std::vector<std::string>{"containers", "a b", "json"}));
    EXPECT_TRUE(target.flag("all"));
    EXPECT_FALSE(target.flag("empty"));
    EXPECT_FALSE(target.flag("absent"));
    EXPECT_EQ(target.parameter("filters"), "{}");
    EXPECT_EQ(target.parameter("name"), "x y");
}

TEST(Target, TakesPathsWithoutVersionAsTheNewest) {
    const Target target = parse_target("//_ping/");
    EXPECT_EQ(target.version, newest_version);
    EXPECT_EQ(target.segments, std::vector<std::string>{"_ping"});
    // A later segment that looks like a version is a name.
    EXPECT_EQ(parse_target("/images/v1.2/json").segments[1], "v1.2");
}

TEST(Target, RefusesVersionsThatAreNotServed) {
    EXPECT_EQ(status_of("/v1.23/info"), 400);
    EXPECT_EQ(status_of("/v1.52/info"), 400);
    EXPECT_EQ(status_of("/v2.0/info"), 400);
    EXPECT_EQ(status_of("/v1.24/info"), 0);
    EXPECT_EQ(status_of("/v1.51/info"), 0);
}

TEST(Target, RefusesDamage) {
    EXPECT_EQ(status_of(""), 400);
    EXPECT_EQ(status_of("info"), 400);
    EXPECT_EQ(status_of("http://host/info"), 400);
    EXPECT_EQ(status_of("/a%"), 400);
    EXPECT_EQ(status_of("/a%4"), 400);
    EXPECT_EQ(status_of("/a%zz"), 400);
    EXPECT_EQ(status_of("/a%00b"), 400);
    EXPECT_EQ(status_of("/a?b=%0"), 400);
    EXPECT_EQ(status_of("/a%41"), 0);
}

TEST(Target, ReadsNumbers) {
    const Target target = parse_target("/x?t=-1&n=12&bad=1x&big=99999999999999999999&none=");
    EXPECT_EQ(target.number("t"), -1);
    EXPECT_EQ(target.number("n"), 12);
    EXPECT_EQ(target.number("none"), std::nullopt);
    EXPECT_THROW((void)target.number("bad"), ApiError);
    EXPECT_THROW((void)target.number("big"), ApiError);
}

} // namespace
} // namespace engine
