// The wait protocol as it is: no state within the bounds breaks a property. THEMELIOS_EXPLORE=whole walks the whole bounds, which take minutes.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/explore/waits/model.hpp"
#include "tests/explore/waits/scenarios.hpp"

namespace explore {
namespace {

bool whole() {
    const char* const wanted = std::getenv("THEMELIOS_EXPLORE");
    return wanted != nullptr && std::string_view(wanted) == "whole";
}

TEST(Explore, waits) {
    Report all;
    for (const NamedScenario& named : scenarios) {
        const unsigned changes = named.changes - (whole() ? 0 : 1);
        const Report report = walk<WaitsModel>({.depth = 1'000, .states = 500'000}, WaitsBounds{named.scenario, changes});
        std::printf("%s, left %u times: %s\n", named.name, changes, report.text().c_str());
        std::fflush(stdout);
        EXPECT_EQ(report.broken, "") << named.name << ": " << report.text();
        EXPECT_TRUE(report.closed || whole()) << named.name << ": the bound on states cut it short";
        all.states += report.states;
        all.transitions += report.transitions;
        all.seconds += report.seconds;
    }
    std::printf("waits in all: %zu states, %zu transitions, %.1f s\n", all.states, all.transitions, all.seconds);
    EXPECT_GE(all.states, whole() ? 1'000'000u : 100'000u) << "the threads lead to fewer states than they did: does the model still explore?";
}

} // namespace
} // namespace explore
