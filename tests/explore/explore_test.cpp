// The state cores as they are: no state within the bounds breaks a property. THEMELIOS_EXPLORE=whole walks the whole bounds, which take minutes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "tests/explore/authority_model.hpp"

namespace explore {
namespace {

constexpr std::size_t most_states = 3'000'000;

bool whole() {
    const char* const wanted = std::getenv("THEMELIOS_EXPLORE");
    return wanted != nullptr && std::string_view(wanted) == "whole";
}

void expect_unbroken(const char* bounds, const Report& report, std::size_t at_least) {
    std::printf("%s: %s\n", bounds, report.text().c_str());
    EXPECT_EQ(report.broken, "") << report.text();
    EXPECT_GE(report.states, at_least) << "the operations lead to fewer states than they did: does the model still explore?";
}

TEST(Explore, authority) {
    if (whole())
        expect_unbroken("2 processes of 3 slots, 2 objects, 3 leases, 7 operations",
                        walk<AuthorityModel>({.depth = 7, .states = most_states}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}), 100'000);
    else
        expect_unbroken("2 processes of 3 slots, 2 objects, 3 leases, 5 operations",
                        walk<AuthorityModel>({.depth = 5, .states = most_states}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}), 1'000);
}

} // namespace
} // namespace explore
