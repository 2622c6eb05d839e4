// The wait protocol with one error each: the walk finds every one, in the scenario that has what it takes.
#include <gtest/gtest.h>

#include "tests/explore/seed.hpp"
#include "tests/explore/waits/model.hpp"
#include "tests/explore/waits/scenarios.hpp"

namespace explore {
namespace {

Report walk_named(std::string_view name, unsigned changes) {
    for (const NamedScenario& named : scenarios)
        if (named.name == name) return walk<WaitsModel>({.depth = 1000, .states = 400'000}, WaitsBounds{named.scenario, changes});
    return {};
}

void expect_found(std::string_view scenario, unsigned changes, std::string_view seed) {
    chosen_seed = seed;
    const Report report = walk_named(scenario, changes);
    chosen_seed = {};
    EXPECT_NE(report.broken, "") << "nothing was found in " << report.text() << ": is the line that " << seed << " goes into still there (seeds.py)?";
    std::printf("%.*s: %s\n", static_cast<int>(seed.size()), seed.data(), report.text().c_str());
}

#define FINDS(scenario, changes, seed) \
    TEST(Finds, seed) { expect_found(#scenario, changes, #seed); }

// Without an error these bounds hold nothing, like those of the short walk of waits_test.cpp.
TEST(FindsNothing, waits) {
    for (const std::string_view name : {"kicked_caller", "lease_of_a_call", "guesser"}) {
        const Report report = walk_named(name, 2);
        EXPECT_EQ(report.broken, "") << name << ": " << report.text();
        EXPECT_GE(report.states, 10'000u) << name;
    }
}

FINDS(deadline, 2, claim_in_two_accesses)
FINDS(kicked_server, 1, kick_is_not_looked_for)
FINDS(kicked_caller, 1, kick_stays_after_the_wait)
FINDS(kicked_caller, 1, kick_looks_before_its_latch)
FINDS(kicked_caller, 2, kick_ends_the_next_wait)
FINDS(lease_of_a_call, 2, lease_ends_the_next_wait)
FINDS(lease_of_a_server, 2, lease_is_not_looked_at_again)
FINDS(combined_leaves, 1, current_reply_is_kept_at_exit)
FINDS(deadline, 2, reply_answers_an_unclaimed_wait)
FINDS(server_leaves, 1, reply_is_not_dropped)
FINDS(two_callers, 1, caller_runs_before_the_answer)
FINDS(guesser, 2, reply_first)
FINDS(kicked_of_two, 1, caller_stays_queued)
FINDS(deadline, 2, reply_stays_armed)
FINDS(server_leaves, 2, queued_callers_are_not_told)
FINDS(server_leaves, 1, gone_server_is_not_looked_for)
FINDS(direct_kicked_server, 2, hand_over_without_a_look)
FINDS(direct_kicked_server, 2, server_that_left_is_next)
FINDS(lease_of_an_older_binding, 2, newer_binding_is_revoked)
FINDS(lease_of_an_older_binding, 2, binding_is_unlinked_before_its_lock)
FINDS(binding_ended_twice, 2, binding_is_unlinked_behind_its_lock)
FINDS(lease_of_a_binding, 1, revoked_binding_stays)
FINDS(kicked_server, 2, wake_is_lost)
FINDS(kicked_server, 2, sleep_is_told_late)
FINDS(kicked_server, 2, sleeper_is_looked_at_first)

} // namespace
} // namespace explore
