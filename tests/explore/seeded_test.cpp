// The state cores with one error each: the walk that finds nothing in the cores as they are finds every one of them.
#include <gtest/gtest.h>

#include "tests/explore/authority_model.hpp"
#include "tests/explore/seed.hpp"

namespace explore {
namespace {

template <class Walk> void expect_found(std::string_view seed, Walk&& walk) {
    chosen_seed = seed;
    const Report report = walk();
    chosen_seed = {};
    EXPECT_NE(report.broken, "") << "nothing was found in " << report.text() << ": is the line that " << seed << " goes into still there (seeds.py)?";
    std::printf("%.*s: %s\n", static_cast<int>(seed.size()), seed.data(), report.text().c_str());
}

Report authority() { return walk<AuthorityModel>({.depth = 6, .states = 200'000}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}); }

#define FINDS(walk, seed) \
    TEST(Finds, seed) { expect_found(#seed, walk); }

FINDS(authority, generation_kept_at_close)
FINDS(authority, generation_not_compared)
FINDS(authority, count_drifts)
FINDS(authority, revoke_misses_second_child)
FINDS(authority, child_is_not_linked)
FINDS(authority, rights_grow)
FINDS(authority, badge_is_rewritten)
FINDS(authority, lease_outside_the_source)
FINDS(authority, lease_is_forgotten)

} // namespace
} // namespace explore
