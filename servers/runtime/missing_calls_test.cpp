#include "servers/runtime/missing_calls.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace runtime {
namespace {

constexpr std::uint32_t calls_in_a_life = MissingCallsAllowance::calls_in_a_life;

std::vector<abi::runtime::MissingCall> all(const MissingCalls& calls) {
    std::vector<abi::runtime::MissingCall> found;
    calls.each([&](const abi::runtime::MissingCall& call) { found.push_back(call); });
    return found;
}

TEST(MissingCalls, SumsByCallAndTellsWhoAskedLast) {
    MissingCalls calls;
    MissingCallsAllowance first, second;
    calls.note(1, 300, 2, first);
    calls.note(2, 7, 1, second);
    calls.note(2, 300, 3, second);
    const auto found = all(calls);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].number, 7u);
    EXPECT_EQ(found[0].count, 1u);
    EXPECT_EQ(found[1].number, 300u);
    EXPECT_EQ(found[1].count, 5u);
    EXPECT_EQ(found[1].sandbox, 2u);
}

TEST(MissingCalls, TakesNoNumberThatIsNoCallAndNoCountOfNothing) {
    MissingCalls calls;
    MissingCallsAllowance allowance;
    for (const std::uint32_t number : {abi::sandbox::linux_calls, abi::sandbox::linux_calls + 1, 1u << 31, UINT32_MAX})
        calls.note(1, number, 1, allowance);
    calls.note(1, 5, 0, allowance);
    EXPECT_TRUE(all(calls).empty());
    calls.note(1, abi::sandbox::linux_calls - 1, 1, allowance);
    EXPECT_EQ(all(calls).size(), 1u);
}

TEST(MissingCalls, OneSandboxFillsNoSumAndTakesNoPlaceOfOthers) {
    MissingCalls calls;
    MissingCallsAllowance hostile, honest;
    for (unsigned round = 0; round < 3; ++round)
        for (std::uint32_t number = 0; number < abi::sandbox::linux_calls; ++number)
            calls.note(1, number, UINT32_MAX, hostile);
    ASSERT_EQ(all(calls).size(), 1u);
    EXPECT_EQ(all(calls)[0].count, calls_in_a_life);
    calls.note(2, 0, 1, honest);
    calls.note(2, 450, 4, honest);
    // It has no say any more.
    calls.note(1, 0, 1, hostile);
    calls.note(1, 450, 1, hostile);
    const auto found = all(calls);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].count, calls_in_a_life + 1);
    EXPECT_EQ(found[0].sandbox, 2u);
    EXPECT_EQ(found[1].count, 4u);
    EXPECT_EQ(found[1].sandbox, 2u);
}

TEST(MissingCalls, ASumOfManySandboxesStaysAtItsEnd) {
    MissingCalls calls;
    for (std::uint64_t sandbox = 1; sandbox <= 300; ++sandbox) {
        MissingCallsAllowance allowance;
        calls.note(sandbox, 9, UINT32_MAX, allowance);
    }
    EXPECT_EQ(all(calls)[0].count, UINT32_MAX);
}

} // namespace
} // namespace runtime
