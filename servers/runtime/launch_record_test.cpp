#include "servers/runtime/launch_record.hpp"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace {

using runtime::LaunchRecord;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string digits(std::string_view text) {
    const auto digits = base::hexadecimal(base::Sha256::of(bytes(text)));
    return {digits.data(), digits.size()};
}

TEST(LaunchRecord, IsTheTextThatItsHeaderTells) {
    const abi::BudgetParameters parameters{.weight = 512, .priority = 0, .limit_microseconds = 50'000, .period_microseconds = 100'000, .cpus = 3};
    const std::string expected = "arguments " + digits("record") +
                                 "\nbudget cpus 3\nbudget limit_microseconds 50000\nbudget period_microseconds 100000\nbudget priority 0\nbudget weight 512\n"
                                 "grant clock 6 4c\ngrant log 7 84\nlayer 0 8192\nlayer 1 4096\nprogram 123456\nquota 5000\nstart " + digits("records") + "\n";
    LaunchRecord one;
    EXPECT_TRUE(one.arguments(bytes("record")));
    EXPECT_TRUE(one.budget(parameters));
    EXPECT_TRUE(one.grant("clock", 6, 0x4c));
    EXPECT_TRUE(one.grant("log", 7, 0x84));
    EXPECT_TRUE(one.layer(0, 8192));
    EXPECT_TRUE(one.layer(1, 4096));
    EXPECT_TRUE(one.program(123456));
    EXPECT_TRUE(one.quota(5000));
    EXPECT_TRUE(one.start(bytes("records")));
    EXPECT_EQ(one.digest(), base::Sha256::of(bytes(expected)));
    LaunchRecord other;
    EXPECT_TRUE(other.start(bytes("records")));
    EXPECT_TRUE(other.quota(5000));
    EXPECT_TRUE(other.layer(1, 4096));
    EXPECT_TRUE(other.grant("log", 7, 0x84));
    EXPECT_TRUE(other.layer(0, 8192));
    EXPECT_TRUE(other.budget(parameters));
    EXPECT_TRUE(other.grant("clock", 6, 0x4c));
    EXPECT_TRUE(other.program(123456));
    EXPECT_TRUE(other.arguments(bytes("record")));
    EXPECT_EQ(other.digest(), base::Sha256::of(bytes(expected)));
}

TEST(LaunchRecord, EveryPartCounts) {
    const auto digest = [](auto&& say) {
        LaunchRecord record;
        EXPECT_TRUE(say(record));
        return record.digest();
    };
    const auto grant = [&](std::string_view name, std::uint32_t kind, abi::Rights rights) { return digest([=](LaunchRecord& record) { return record.grant(name, kind, rights); }); };
    EXPECT_NE(grant("log", 7, 4), grant("lag", 7, 4));
    EXPECT_NE(grant("log", 7, 4), grant("log", 6, 4));
    EXPECT_NE(grant("log", 7, 4), grant("log", 7, 5));
    EXPECT_NE(digest([](LaunchRecord& record) { return record.layer(1, 4096); }), digest([](LaunchRecord& record) { return record.layer(0, 4096); }));
    EXPECT_NE(digest([](LaunchRecord& record) { return record.arguments(bytes("a")); }), digest([](LaunchRecord& record) { return record.arguments(bytes("b")); }));
    EXPECT_NE(digest([](LaunchRecord& record) { return record.start(bytes("a")); }), digest([](LaunchRecord& record) { return record.arguments(bytes("a")); }));
    EXPECT_NE(digest([](LaunchRecord& record) { return record.budget({.weight = 1}); }), digest([](LaunchRecord& record) { return record.budget({.weight = 2}); }));
}

// A line says one thing, whatever stands in it, and the longest fits.
TEST(LaunchRecord, RefusesNames) {
    LaunchRecord record;
    EXPECT_TRUE(record.grant(std::string(31, 'n'), UINT32_MAX, UINT32_MAX));
    for (const std::string& name : {std::string(), std::string(32, 'n'), std::string("a b"), std::string("a\n"), std::string("a\0", 2), std::string("\x7f"), std::string("\xc3\xa4")})
        EXPECT_EQ(record.grant(name, 1, 1).error(), base::Error::bad_argument) << name;
    EXPECT_TRUE(record.layer(SIZE_MAX, UINT64_MAX));
    EXPECT_TRUE(record.quota(UINT64_MAX));
}

} // namespace
