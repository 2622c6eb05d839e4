// The state cores as they are: no state within the bounds breaks a property. THEMELIOS_EXPLORE=whole walks the whole bounds, which take minutes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/explore/authority_model.hpp"
#include "tests/explore/quota_model.hpp"
#include "tests/explore/quota_race_model.hpp"
#include "tests/explore/range_steps_model.hpp"
#include "tests/explore/ranges_model.hpp"
#include "tests/explore/tlb_model.hpp"

namespace explore {
namespace {

constexpr std::size_t most_states = 3'000'000;

bool whole() {
    const char* const wanted = std::getenv("THEMELIOS_EXPLORE");
    return wanted != nullptr && std::string_view(wanted) == "whole";
}

void expect_unbroken(const std::string& bounds, const Report& report, std::size_t at_least) {
    std::printf("%s: %s\n", bounds.c_str(), report.text().c_str());
    EXPECT_EQ(report.broken, "") << report.text();
    EXPECT_GE(report.states, at_least) << "the operations lead to fewer states than they did: does the model still explore?";
}

TEST(Explore, authority) {
    if (whole())
        expect_unbroken("2 processes of 3 slots, 2 objects, 3 leases, 7 operations",
                        walk<AuthorityModel>({.depth = 7, .states = most_states}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}), 100'000);
    else
        expect_unbroken("2 processes of 3 slots, 2 objects, 3 leases, 4 operations",
                        walk<AuthorityModel>({.depth = 4, .states = most_states}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}), 1'000);
}

TEST(Explore, quota) {
    if (whole())
        expect_unbroken("tree of 5 nodes, limits 4, 3 and 1, 9 operations",
                        walk<QuotaModel>({.depth = 9, .states = 400'000}, QuotaBounds{.nodes = 5}), 100'000);
    else
        expect_unbroken("tree of 3 nodes, limits 4, 3 and 1, 5 operations",
                        walk<QuotaModel>({.depth = 5, .states = most_states}, QuotaBounds{.nodes = 3}), 1'000);
}

TEST(Explore, quota_race) {
    const unsigned runs = whole() ? 2 : 1;
    const std::string functions = whole() ? "2 threads of 2 functions, each access a step" : "2 threads of 1 function, each access a step";
    expect_unbroken(functions, walk<QuotaRaceModel>({.depth = 80, .states = most_states}, QuotaRaceBounds{.threads = 2, .runs = runs}), whole() ? 15'000 : 400);
    expect_unbroken(functions + ", of threads that hold a page", walk<QuotaRaceModel>({.depth = 80, .states = most_states}, QuotaRaceBounds{.threads = 2, .runs = runs, .held = true}),
                    whole() ? 20'000 : 500);
    if (!whole()) return;
    expect_unbroken("3 threads of 1 function, each access a step", walk<QuotaRaceModel>({.depth = 80, .states = most_states}, QuotaRaceBounds{.threads = 3, .runs = 1}), 4'000);
}

TEST(Explore, ranges) {
    if (whole())
        expect_unbroken("2 spaces, 5 pages in 2 tables, 1 shared frame, with and without memory, 5 operations",
                        walk<RangesModel>({.depth = 5, .states = 120'000}, RangesBounds{.wide = true, .scarce = true}), 100'000);
    else
        expect_unbroken("2 spaces, 2 pages in 2 tables, 1 shared frame, with and without memory, 4 operations",
                        walk<RangesModel>({.depth = 4, .states = most_states}, RangesBounds{.wide = false, .scarce = true}), 1'000);
}

TEST(Explore, range_steps) {
    const Bounds bounds{.depth = 200, .states = most_states};
    if (whole()) {
        expect_unbroken("1 work or fork, steps of 1 and 20, 2 accesses, 102 layouts",
                        walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 1, .at_once = 1, .accesses = 2, .forks = true, .layouts = 1, .budgets = {1, 20}}), 50'000);
        expect_unbroken("2 works, one of them maybe a fork, 102 layouts",
                        walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 2, .at_once = 2, .accesses = 0, .forks = true, .layouts = 1, .budgets = {1}}), 150'000);
        expect_unbroken("2 works, 1 access, 102 layouts",
                        walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 2, .at_once = 2, .accesses = 1, .forks = false, .layouts = 1, .budgets = {1}}), 400'000);
        expect_unbroken("3 works, 21 layouts",
                        walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 3, .at_once = 3, .accesses = 0, .forks = false, .layouts = 5, .budgets = {1}}), 400'000);
        return;
    }
    expect_unbroken("1 work or fork, 1 access, 21 layouts",
                    walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 1, .at_once = 1, .accesses = 1, .forks = true, .layouts = 5, .budgets = {1}}), 4'000);
    expect_unbroken("2 works, 1 access, 8 layouts",
                    walk<RangeStepsModel>(bounds, RangeStepsBounds{.works = 2, .at_once = 2, .accesses = 1, .forks = false, .layouts = 13, .budgets = {1}}), 15'000);
}

TEST(Explore, tlb) {
    std::vector<std::vector<unsigned>> sizes{{2, 1}};
    if (whole()) sizes = {{3, 1}, {2, 1, 1}};
    for (const auto& runs : sizes) {
        const auto expect = [&]<std::size_t places>(const char* bounds, bool tags, bool selects) {
            for (const bool rests : {false, true}) {
                expect_unbroken((std::to_string(runs.size()) + " CPUs, " + std::to_string(runs[0]) + " functions of the first, " + bounds + (rests ? ", with rests" : "")).c_str(),
                                walk<TlbModel<places>>({.depth = 200, .states = 400'000}, TlbBounds{.tags = tags, .selects = selects, .runs = runs, .rests = rests}), 1'000);
            }
        };
        expect.operator()<1>("no tags", false, false);
        expect.operator()<1>("tags of 1 pair", true, false);
        expect.operator()<1>("tags of 1 pair, INVPCID", true, true);
        expect.operator()<2>("tags of 2 pairs", true, false);
        expect.operator()<2>("tags of 2 pairs, INVPCID", true, true);
    }
}

} // namespace
} // namespace explore
