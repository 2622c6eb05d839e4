// The state cores with one error each: the walk that finds nothing in the cores as they are finds every one of them.
#include <gtest/gtest.h>

#include "tests/explore/authority_model.hpp"
#include "tests/explore/quota_model.hpp"
#include "tests/explore/quota_race_model.hpp"
#include "tests/explore/range_steps_model.hpp"
#include "tests/explore/ranges_model.hpp"
#include "tests/explore/seed.hpp"
#include "tests/explore/tlb_model.hpp"

namespace explore {
namespace {

template <class Walk> void expect_found(std::string_view seed, Walk&& walk) {
    chosen_seed = seed;
    const Report report = walk();
    chosen_seed = {};
    EXPECT_NE(report.broken, "") << "nothing was found in " << report.text() << ": is the line that " << seed << " goes into still there (seeds.py)?";
    std::printf("%.*s: %s\n", static_cast<int>(seed.size()), seed.data(), report.text().c_str());
}

Report authority() { return walk<AuthorityModel>({.depth = 5, .states = 200'000}, AuthorityBounds{.slots = 3, .objects = 2, .leases = 3}); }

// The bounds in which the errors are found: without one there is nothing.
#define FINDS_NOTHING(walk) \
    TEST(FindsNothing, walk) { \
        const Report report = walk(); \
        EXPECT_EQ(report.broken, "") << report.text(); \
        EXPECT_GE(report.states, 300u); \
    }
#define FINDS(walk, seed) \
    TEST(Finds, seed) { expect_found(#seed, walk); }

FINDS_NOTHING(authority)
FINDS(authority, generation_kept_at_close)
FINDS(authority, generation_not_compared)
FINDS(authority, count_drifts)
FINDS(authority, revoke_misses_second_child)
FINDS(authority, child_is_not_linked)
FINDS(authority, rights_grow)
FINDS(authority, badge_is_rewritten)
FINDS(authority, lease_outside_the_source)
FINDS(authority, lease_is_forgotten)

Report quota() { return walk<QuotaModel>({.depth = 4, .states = 200'000}, QuotaBounds{.nodes = 3}); }

FINDS_NOTHING(quota)
FINDS(quota, undo_leaves_one_level)
FINDS(quota, refusing_level_stays_charged)
FINDS(quota, closed_ancestor_is_ignored)
FINDS(quota, limit_of_one_more)
FINDS(quota, table_stays_with_the_parent)

// Only where another thread comes in between.
Report quota_race() { return walk<QuotaRaceModel>({.depth = 60, .states = 300'000}, QuotaRaceBounds{.threads = 2, .runs = 1}); }

FINDS_NOTHING(quota_race)
FINDS(quota_race, charge_in_two_accesses)

Report quota_race_of_releases() { return walk<QuotaRaceModel>({.depth = 60, .states = 300'000}, QuotaRaceBounds{.threads = 2, .runs = 1, .held = true}); }

FINDS_NOTHING(quota_race_of_releases)
FINDS(quota_race_of_releases, release_in_two_accesses)

Report ranges() { return walk<RangesModel>({.depth = 4, .states = 50'000}, RangesBounds{.wide = false, .scarce = false}); }

FINDS_NOTHING(ranges)
FINDS(ranges, fork_leaves_the_parent_writable)
FINDS(ranges, fork_forgets_a_reference)
FINDS(ranges, protect_makes_a_shared_page_writable)
FINDS(ranges, protect_exceeds_what_was_allowed)
FINDS(ranges, copy_is_not_told)
FINDS(ranges, copied_frame_is_kept)
FINDS(ranges, unmap_forgets_a_reference)
FINDS(ranges, unmap_is_not_told)
FINDS(ranges, first_access_without_the_right)

// A mark of a whole table is split.
Report wide_ranges() { return walk<RangesModel>({.depth = 2, .states = 50'000}, RangesBounds{.wide = true, .scarce = false}); }

FINDS_NOTHING(wide_ranges)
FINDS(wide_ranges, split_loses_the_mark)
FINDS(wide_ranges, fill_replaces_what_is_there)
FINDS(wide_ranges, like_entries_pass_the_end)

// A page behind a mark in one table.
Report pages_and_marks() { return walk<RangesModel>({.depth = 3, .states = 50'000}, RangesBounds{.wide = true, .scarce = false}); }

FINDS_NOTHING(pages_and_marks)
FINDS(pages_and_marks, like_entries_go_on)

// Operations that stop on their way.
Report range_steps() {
    return walk<RangeStepsModel>({.depth = 60, .states = 200'000}, RangeStepsBounds{.works = 1, .at_once = 1, .accesses = 1, .forks = true, .layouts = 5, .budgets = {1}});
}

FINDS_NOTHING(range_steps)
FINDS(range_steps, table_goes_with_what_came_in)
FINDS(range_steps, like_entries_are_not_compared)
FINDS(range_steps, one_of_eight_is_left)
FINDS(range_steps, table_worked_off_stays)
FINDS(range_steps, stop_passes_an_entry_over)
FINDS(range_steps, like_entries_stop_short)
FINDS(range_steps, stop_below_is_forgotten)
FINDS(range_steps, walk_passes_its_end)
FINDS(range_steps, rest_of_a_mark_is_lost)
FINDS(range_steps, fork_makes_a_table_at_each_step)
FINDS(range_steps, move_counts_from_where_it_is)

// Without tags, with tags for fewer pairs than there are, and with enough, with INVPCID and without.
template <std::size_t places> Report tlb(bool tags, bool selects, unsigned runs = 2) {
    return walk<TlbModel<places>>({.depth = 200, .states = 200'000}, TlbBounds{.tags = tags, .selects = selects, .runs = {runs, 1}});
}
Report untagged() { return tlb<1>(false, false); }
Report long_untagged() { return tlb<1>(false, false, 3); }
Report few_tags() { return tlb<1>(true, true); }
Report tags() { return tlb<2>(true, true); }
Report reloaded_tags() { return tlb<2>(true, false); }

FINDS_NOTHING(untagged)
FINDS(untagged, entered_behind_the_load)
FINDS(untagged, settled_before_the_load)
FINDS_NOTHING(long_untagged)
FINDS(long_untagged, settled_is_read_first)
FINDS_NOTHING(few_tags)
FINDS(few_tags, tag_of_another_pair_is_kept)
FINDS(few_tags, tag_is_forgotten_while_it_is_loaded)
FINDS_NOTHING(tags)
FINDS(tags, users_are_read_before_the_change_counts)
FINDS(tags, tagged_is_entered_behind_the_load)
FINDS(tags, generation_of_the_guest_is_not_compared)
FINDS(tags, generation_of_the_sandbox_is_not_compared)
FINDS(tags, tag_of_both_roots_is_one)
FINDS(tags, page_stays_under_the_other_tag)
FINDS_NOTHING(reloaded_tags)
FINDS(reloaded_tags, tag_of_the_other_root_is_kept)

// The first CPU's thread sleeps too.
template <std::size_t places> Report rest(bool tags, bool selects) {
    return walk<TlbModel<places>>({.depth = 200, .states = 200'000}, TlbBounds{.tags = tags, .selects = selects, .runs = {2, 1}, .rests = true});
}
Report untagged_rest() { return rest<1>(false, false); }
Report tagged_rest() { return rest<2>(true, true); }

FINDS_NOTHING(untagged_rest)
FINDS(untagged_rest, rest_notes_behind_its_word)
FINDS(untagged_rest, rest_notes_what_is_under_way)
FINDS(untagged_rest, going_on_compares_nothing)
FINDS(untagged_rest, going_on_enters_late)
FINDS(untagged_rest, rest_ends_before_the_load)
FINDS(untagged_rest, rested_is_read_first)
FINDS(untagged_rest, rest_is_not_told_of_tables)
FINDS(untagged_rest, rest_is_not_told_of_the_end)
FINDS(untagged_rest, who_rests_stays_when_told)
FINDS_NOTHING(tagged_rest)

#define FINDS_TAGGED(seed) \
    TEST(FindsTagged, seed) { expect_found(#seed, tagged_rest); }
FINDS_TAGGED(going_on_compares_nothing)
FINDS_TAGGED(going_on_enters_late)
FINDS_TAGGED(rest_ends_before_the_load)
FINDS_TAGGED(rest_is_not_told_of_tables)
FINDS_TAGGED(rest_is_not_told_of_the_end)
FINDS_TAGGED(who_rests_stays_when_told)

} // namespace
} // namespace explore
