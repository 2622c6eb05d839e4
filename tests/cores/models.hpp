// All models, and the errors that each of them has to find (tests/explore/seeds.py puts them in).
#pragma once
#include <iterator>
#include <string_view>

#include "tests/cores/command.hpp"

namespace cores {

extern const Model models[9];

struct Seed {
    const char* model;
    const char* error;
};
inline constexpr Seed seeds[] = {
    {"slot_table", "generation_kept_at_close"},
    {"slot_table", "generation_not_compared"},
    {"slot_table", "count_drifts"},
    {"lease", "revoke_misses_second_child"},
    {"lease", "child_is_not_linked"},
    {"lease", "not_within_itself"},
    {"quota", "undo_leaves_one_level"},
    {"quota", "refusing_level_stays_charged"},
    {"quota", "closed_ancestor_is_ignored"},
    {"quota", "limit_of_one_more"},
    {"quota", "table_stays_with_the_parent"},
    {"deadline", "earlier_is_not_first"},
    {"deadline", "due_is_taken_late"},
    {"deadline", "first_is_kept_at_disarm"},
    {"futex", "late_comer_is_woken"},
    {"futex", "other_word_is_woken"},
    {"futex", "passed_over_is_found_again"},
    {"futex", "turn_stands_still"},
    {"page_map", "top_is_not_carried_over"},
    {"page_map", "walk_passes_a_node_over"},
    {"page_map", "truncation_begins_late"},
    {"page_table", "fork_leaves_the_parent_writable"},
    {"page_table", "fork_forgets_a_reference"},
    {"page_table", "copy_is_not_told"},
    {"page_table", "split_loses_the_mark"},
    {"page_table", "unmap_is_not_told"},
    {"wait", "claim_of_another_wait"},
    {"wait", "wait_is_claimed_twice"},
    {"wait", "outcome_is_lost"},
    {"clock", "clock_goes_back"},
    {"clock", "clock_follows_the_one_ahead"},
    {"clock", "sleeper_collects_all"},
};

inline const Model* find_model(std::string_view name) {
    for (const Model& model : models)
        if (name == model.name) return &model;
    return nullptr;
}

} // namespace cores
