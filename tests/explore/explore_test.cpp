// The state cores as they are: no state within the bounds breaks a property. THEMELIOS_EXPLORE=whole walks the whole bounds, which take minutes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "tests/explore/authority_model.hpp"
#include "tests/explore/quota_model.hpp"
#include "tests/explore/quota_race_model.hpp"
#include "tests/explore/ranges_model.hpp"
#include "tests/explore/tlb_model.hpp"

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
        expect_unbroken("2 processes of 3 slots, 2 objects, 3 leases, 4 operations",
                        walk<AuthorityModel>({.depth = 4, .states = most_states}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}), 1'000);
}

TEST(Explore, quota) {
    if (whole())
        expect_unbroken("tree of 4 nodes, limits 4, 3 and 1, 8 operations",
                        walk<QuotaModel>({.depth = 8, .states = 400'000}, QuotaBounds{.nodes = 4}), 100'000);
    else
        expect_unbroken("tree of 3 nodes, limits 4, 3 and 1, 5 operations",
                        walk<QuotaModel>({.depth = 5, .states = most_states}, QuotaBounds{.nodes = 3}), 1'000);
}

TEST(Explore, quota_race) {
    if (whole()) {
        expect_unbroken("2 threads of 2 functions, each access a step",
                        walk<QuotaRaceModel>({.depth = 80, .states = 120'000}, QuotaRaceBounds{.threads = 2, .runs = 2}), 100'000);
        expect_unbroken("3 threads of 1 function, each access a step",
                        walk<QuotaRaceModel>({.depth = 80, .states = most_states}, QuotaRaceBounds{.threads = 3, .runs = 1}), 50'000);
    } else {
        expect_unbroken("2 threads of 1 function, each access a step",
                        walk<QuotaRaceModel>({.depth = 60, .states = most_states}, QuotaRaceBounds{.threads = 2, .runs = 1}),
                        1'000);
    }
}

TEST(Explore, ranges) {
    if (whole())
        expect_unbroken("2 spaces, 5 pages in 2 tables, 1 shared frame, with and without memory, 5 operations",
                        walk<RangesModel>({.depth = 5, .states = 120'000}, RangesBounds{.wide = true, .scarce = true}), 100'000);
    else
        expect_unbroken("2 spaces, 2 pages in 2 tables, 1 shared frame, with and without memory, 4 operations",
                        walk<RangesModel>({.depth = 4, .states = most_states}, RangesBounds{.wide = false, .scarce = true}), 1'000);
}

TEST(Explore, tlb) {
    const std::vector<unsigned> two = whole() ? std::vector<unsigned>{4, 2} : std::vector<unsigned>{3, 1};
    const std::vector<unsigned> three = whole() ? std::vector<unsigned>{3, 1, 1} : std::vector<unsigned>{2, 1, 1};
    const std::size_t at_least = whole() ? 100'000 : 5'000;
    for (const auto& runs : {two, three}) {
        const std::string cpus = std::to_string(runs.size()) + " CPUs, ";
        const Bounds bounds{.depth = 200, .states = most_states};
        expect_unbroken((cpus + "no tags").c_str(), walk<TlbModel<1>>(bounds, TlbBounds{.tags = false, .selects = false, .runs = runs}), at_least);
        expect_unbroken((cpus + "tags of 1 pair, INVPCID").c_str(), walk<TlbModel<1>>(bounds, TlbBounds{.tags = true, .selects = true, .runs = runs}), at_least);
        expect_unbroken((cpus + "tags of 2 pairs, INVPCID").c_str(), walk<TlbModel<2>>(bounds, TlbBounds{.tags = true, .selects = true, .runs = runs}), at_least);
        expect_unbroken((cpus + "tags of 1 pair").c_str(), walk<TlbModel<1>>(bounds, TlbBounds{.tags = true, .selects = false, .runs = runs}), at_least);
        expect_unbroken((cpus + "tags of 2 pairs").c_str(), walk<TlbModel<2>>(bounds, TlbBounds{.tags = true, .selects = false, .runs = runs}), at_least);
    }
}

} // namespace
} // namespace explore
