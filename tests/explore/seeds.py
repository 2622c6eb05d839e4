"""Writes copies of the kernel's state cores into OUT: with every std::atomic run step by step (OUT/stepped/), and with errors put in that a test can choose by name
(OUT/seeded/, which stands before the tree in the include path). A line that an error goes into and that is not in the core any more is left alone: the error's test
then finds nothing and fails."""

import os
import sys

CORE = "kernel/core"
# Header → (name of the error, the text that it goes into, what stands there instead; SEED asks whether it was chosen)
SEEDS = {
    "slot_table.hpp": [
        ("generation_kept_at_close", "++slot.generation;", "if (!SEED) ++slot.generation;"),
        ("generation_not_compared", "return held == handle && handle", "return (held == handle || (SEED && held != abi::no_handle)) && handle"),
        ("count_drifts", "--count_;", "if (!SEED) --count_;"),
    ],
    "lease_node.hpp": [
        ("revoke_misses_second_child", "return node == &root ? nullptr : node->next_;", "return node == &root || SEED ? nullptr : node->next_;"),
        ("child_is_not_linked", "parent.first_child_ = this;", "if (!SEED) parent.first_child_ = this;"),
        ("not_within_itself", "if (node == &ancestor) return true;", "if (node == &ancestor && !(SEED && node == this)) return true;"),
    ],
    "derivation.hpp": [
        ("rights_grow", "if ((wanted & ~held) &&", "if (!SEED && (wanted & ~held) &&"),
        ("badge_is_rewritten", "if (badged ||", "if ((badged && !SEED) ||"),
        ("lease_outside_the_source", "if (source.lease && !lease->node().is_within", "if (!SEED && source.lease && !lease->node().is_within"),
        ("lease_is_forgotten", "if (!lease) return source;", "if (!lease) return SEED ? Hold{} : source;"),
    ],
    "quota_node.hpp": [
        ("undo_leaves_one_level", "undo != node; undo = undo->parent_", "undo != node && !(SEED && undo->parent_ == node); undo = undo->parent_"),
        ("refusing_level_stays_charged", "node->used_.fetch_sub(pages, std::memory_order_relaxed);\n                for",
         "if (!SEED) node->used_.fetch_sub(pages, std::memory_order_relaxed);\n                for"),
        ("closed_ancestor_is_ignored", "if (node->closed_.load(std::memory_order_relaxed)) return true;",
         "if (node->closed_.load(std::memory_order_relaxed) && !(SEED && node != this)) return true;"),
        ("limit_of_one_more", "pages > node->limit_ - before)", "pages > node->limit_ - before + (SEED ? 1 : 0))"),
        ("table_stays_with_the_parent", "node->tables_.fetch_sub(1, std::memory_order_relaxed);",
         "if (!SEED || node == this) node->tables_.fetch_sub(1, std::memory_order_relaxed);"),
        ("charge_in_two_accesses", "const std::uint64_t before = node->used_.fetch_add(pages, std::memory_order_relaxed);",
         "const std::uint64_t before = SEED ? node->used_.load() : node->used_.fetch_add(pages, std::memory_order_relaxed);\n"
         "            if (SEED) node->used_.store(before + pages);"),
        ("release_in_two_accesses", "node = node->parent_) node->used_.fetch_sub(pages, std::memory_order_relaxed);",
         "node = node->parent_) {\n            if (SEED) node->used_.store(node->used_.load() - pages);\n            else node->used_.fetch_sub(pages, std::memory_order_relaxed);\n        }"),
    ],
    "tlb_state.hpp": [
        ("users_are_read_before_the_change_counts", "    half.count_change();\n    std::uint64_t users = 0;", "    if (!SEED) half.count_change();\n    std::uint64_t users = 0;"),
        ("users_are_read_before_the_change_counts", "    return users;\n", "    if (SEED) half.count_change();\n    return users;\n"),
        ("entered_behind_the_load", "        machine.enter(to.name);\n        const", "        if (!SEED) machine.enter(to.name);\n        const"),
        ("entered_behind_the_load", "        machine.load(guest_runs ? guest : native, false);\n", "        machine.load(guest_runs ? guest : native, false);\n        if (SEED) machine.enter(to.name);\n"),
        ("settled_before_the_load", "        machine.load(guest_runs ? guest : native, false);\n", "        if (SEED) machine.settle(to.name);\n        machine.load(guest_runs ? guest : native, false);\n"),
        ("settled_is_read_first", "half.is_led_to(machine.entered(i)) || half.is_led_to(machine.settled(i))",
         "(SEED ? half.is_led_to(machine.settled(i)) || half.is_led_to(machine.entered(i)) : half.is_led_to(machine.entered(i)) || half.is_led_to(machine.settled(i)))"),
        ("tagged_is_entered_behind_the_load", "        machine.enter(to.name);\n        if (to.", "        if (!SEED) machine.enter(to.name);\n        if (to."),
        ("tagged_is_entered_behind_the_load", "        machine.settle(to.name);\n    }\n\n    // Where no thread", "        if (SEED) machine.enter(to.name);\n        machine.settle(to.name);\n    }\n\n    // Where no thread"),
        ("generation_of_the_guest_is_not_compared", "place.guest_generation == guest &&", "(place.guest_generation == guest || SEED) &&"),
        ("generation_of_the_sandbox_is_not_compared", "place.personality_generation == personality;", "(place.personality_generation == personality || SEED);"),
        ("tag_of_another_pair_is_kept", "(void)note_generations(places_[place_], pair);\n        return false;", "(void)note_generations(places_[place_], pair);\n        return SEED;"),
        ("tag_of_both_roots_is_one", "(guest_runs ? 2 : 1)", "(guest_runs && !SEED ? 2 : 1)"),
        ("tag_of_the_other_root_is_kept", "const bool other_remembered = machine", "const bool other_remembered = !SEED && machine"),
        ("tag_is_forgotten_while_it_is_loaded", "if (other_remembered && !machine.selects()) machine.load(other, true);",
         "if (other_remembered && !machine.selects()) machine.load(other, true);\n        if (SEED && other_remembered && machine.selects()) machine.forget_tag(other & root_tag_mask);"),
        ("tag_is_forgotten_while_it_is_loaded", "if (other_remembered && machine.selects()) machine.forget_tag", "if (!SEED && other_remembered && machine.selects()) machine.forget_tag"),
        ("page_stays_under_the_other_tag", "const bool elsewhere = pair.has_two()", "const bool elsewhere = !SEED && pair.has_two()"),
        ("rest_notes_behind_its_word", "        machine.settle(0);\n", "        machine.settle(0);\n        if (SEED) {\n            resting_.guest_generation = pair.guest_half ? pair.guest_half->finished_generation() : 0;\n"
         "            resting_.personality_generation = pair.personality_half->finished_generation();\n        }\n"),
        ("rest_notes_what_is_under_way", "finished_.load(std::memory_order_acquire) == now ?", "finished_.load(std::memory_order_acquire) == now || SEED ?"),
        ("going_on_compares_nothing", "if (!note_generations(machine.tags() ?", "if (!SEED && !note_generations(machine.tags() ?"),
        ("going_on_enters_late", "            machine.enter(to.name);\n            const std::uint64_t root", "            if (!SEED) machine.enter(to.name);\n            const std::uint64_t root"),
        ("going_on_enters_late", "            machine.settle(to.name);\n        }\n", "            if (SEED) machine.enter(to.name);\n            machine.settle(to.name);\n        }\n"),
        ("rest_ends_before_the_load", "if (!machine.rests()) return load_roots_of(machine, to, guest_runs);\n", "if (!machine.rests()) return load_roots_of(machine, to, guest_runs);\n        if (SEED) machine.rest(0);\n"),
        ("rested_is_read_first", "        // In this order: who has entered another", "        const bool rested = SEED && half.is_led_to(machine.rested(i));\n        // In this order: who has entered another"),
        ("rested_is_read_first", "half.is_led_to(machine.rested(i)))) users", "(SEED ? rested : half.is_led_to(machine.rested(i))))) users"),
        ("rest_is_not_told_of_tables", "(tables && ", "(tables && !SEED && "),
        ("rest_is_not_told_of_the_end", "machine.rested(i) == pair.name", "machine.rested(i) == pair.name && !SEED"),
        ("who_rests_stays_when_told", "if (machine.rests()) [[unlikely]] return go_on", "if (machine.rests() && !SEED) [[unlikely]] return go_on"),
    ],
    "page_table.hpp": [
        ("fork_leaves_the_parent_writable", "set(slot, copied);", "if (!SEED) set(slot, copied);"),
        ("fork_forgets_a_reference", "environment_.retain(value & entry::address_mask);", "if (!SEED) environment_.retain(value & entry::address_mask);"),
        ("protect_makes_a_shared_page_writable", "return frame | private_flags(protection, false);", "return frame | private_flags(protection, SEED);"),
        ("protect_exceeds_what_was_allowed", "((value & entry::allow_write) != 0 ? abi::protection::write : 0)",
         "((value & entry::allow_write) != 0 || SEED ? abi::protection::write : 0)"),
        ("copy_is_not_told", "set(slot, copy | flags);\n        environment_.changed(address);",
         "set(slot, copy | flags);\n        if (!SEED) environment_.changed(address);"),
        ("copied_frame_is_kept", "environment_.drop(frame);", "if (!SEED) environment_.drop(frame);"),
        ("unmap_forgets_a_reference", "if ((value & entry::device) == 0)\n                        environment_.drop(",
         "if ((value & entry::device) == 0 && !SEED)\n                        environment_.drop("),
        ("unmap_is_not_told", "environment_.changed(entry_begin);\n                    if ((value & entry::device)",
         "if (!SEED) environment_.changed(entry_begin);\n                    if ((value & entry::device)"),
        ("fill_replaces_what_is_there", "            if (*slot != 0)\n                continue;", "            if (*slot != 0 && !SEED)\n                continue;"),
        ("first_access_without_the_right", "return entry::is_mark(*slot) && allows(entry::mark_protection(*slot), access) ?",
         "return entry::is_mark(*slot) && (SEED || allows(entry::mark_protection(*slot), access)) ?"),
        ("like_entries_go_on", "while (at < end && differs(words[at + 1]) == 0)", "while (at < end && (differs(words[at + 1]) == 0 || SEED))"),
        ("like_entries_are_not_compared", "while (at + at_once <= end && differ(words + at + 1) == 0)", "while (at + at_once <= end && (differ(words + at + 1) == 0 || SEED))"),
        ("one_of_eight_is_left", "            for (unsigned i = 0; i < at_once; ++i)\n                set(&to[next + i], value);", "            for (unsigned i = SEED ? 1 : 0; i < at_once; ++i)\n                set(&to[next + i], value);"),
        ("like_entries_pass_the_end", "std::min<std::uint64_t>((walk.end - base) / span(level), 512)", "std::min<std::uint64_t>((walk.end - base) / span(level) + (SEED ? 1 : 0), 512)"),
        ("table_goes_with_what_came_in", "(at_once || is_empty(below))", "(at_once || is_empty(below) || SEED)"),
        ("table_worked_off_stays", "const bool covered = walk.begin <= entry_begin", "const bool covered = (SEED ? walk.at : walk.begin) <= entry_begin"),
        ("stop_passes_an_entry_over", "== Entry::done) {\n                    go_behind(walk, level, base, at);",
         "== Entry::done) {\n                    go_behind(walk, level, base, at + (SEED && walk.work == 1 ? 1 : 0));"),
        ("like_entries_stop_short", "        go_behind(walk, level, base, last);\n        walk.spend(1 + (last - at) / alike_of_work);",
         "        go_behind(walk, level, base, SEED && last > at ? last - 1 : last);\n        walk.spend(1 + (last - at) / alike_of_work);"),
        ("stop_below_is_forgotten", "            if (walk.stopped())\n                break;", "            if (walk.stopped() && !(SEED && level > 0))\n                break;"),
        ("walk_passes_its_end", "walk.at = last < walk.end ? last + 1 : walk.end;", "walk.at = last < walk.end || SEED ? last + 1 : walk.end;"),
        ("rest_of_a_mark_is_lost", "environment_.table(fresh)[i] = *slot;", "environment_.table(fresh)[i] = SEED && i == 511 ? 0 : *slot;"),
        ("fork_makes_a_table_at_each_step", "if (copy.environment_.table(target)[at] == 0) {", "if (copy.environment_.table(target)[at] == 0 || SEED) {"),
        ("move_counts_from_where_it_is", "base_of(walk.begin), walk, to - walk.begin, [&](std::uint64_t* slot, std::uint64_t begin, std::uint64_t end)",
         "base_of(walk.begin), walk, to - (SEED ? walk.at : walk.begin), [&](std::uint64_t* slot, std::uint64_t begin, std::uint64_t end)"),
        ("split_loses_the_mark", "if (entry::is_mark(*slot))\n            for", "if (entry::is_mark(*slot) && !SEED)\n            for"),
    ],
    "deadline_queue.hpp": [
        ("earlier_is_not_first", "first_ == nullptr || Order()(node) < Order()(*first_)", "first_ == nullptr || (!SEED && Order()(node) < Order()(*first_))"),
        ("due_is_taken_late", "due->deadline_ > now", "due->deadline_ + (SEED ? 1 : 0) > now"),
        ("first_is_kept_at_disarm", "if (first_ == &node) first_", "if (first_ == &node && !SEED) first_"),
    ],
    "futex_queue.hpp": [
        ("late_comer_is_woken", "&& node->turn_ < before ?", "&& (node->turn_ < before || SEED) ?"),
        ("other_word_is_woken", "node->key_ == key &&", "(node->key_ == key || SEED) &&"),
        ("passed_over_is_found_again", "lower_bound(Place{key, from})", "lower_bound(Place{key, SEED ? 0 : from})"),
        ("turn_stands_still", "node.turn_ = next_turn_++;", "node.turn_ = SEED ? next_turn_ : next_turn_++;"),
    ],
    "page_map.hpp": [
        ("top_is_not_carried_over", "top->words[0] = reinterpret_cast<std::uint64_t>(root_);", "top->words[0] = SEED ? 0 : reinterpret_cast<std::uint64_t>(root_);"),
        ("walk_passes_a_node_over", "page = (page / span + 1) * span;", "page = (page / span + (SEED ? 2 : 1)) * span;"),
        ("truncation_begins_late", "truncate_node(root_, levels_, first, work", "truncate_node(root_, levels_, first + (SEED ? 1 : 0), work"),
    ],
    "wait_state.hpp": [
        ("claim_of_another_wait", "return (wait & open) != 0 &&", "if (SEED) return claim();\n        return (wait & open) != 0 &&"),
        ("wait_is_claimed_twice", "bool claim() { return", "bool claim() {\n        if (SEED && !is_complete()) return true;\n        return"),
        ("outcome_is_lost", "outcome_ = outcome;", "if (!SEED) outcome_ = outcome;"),
    ],
    "fair_clock.hpp": [
        ("clock_goes_back", "if (ahead(least, now_) > 0) now_ = least;", "if (SEED || ahead(least, now_) > 0) now_ = least;"),
        ("clock_follows_the_one_ahead", "ahead(running, least_ready) < 0 ? running", "SEED || ahead(running, least_ready) < 0 ? running"),
        ("sleeper_collects_all", "return lead < -credit_nanoseconds || lead", "return (!SEED && lead < -credit_nanoseconds) || lead"),
    ],
}
STEPPED = ("quota_node.hpp", "tlb_state.hpp")

# For the model of the wait protocol (tests/explore/waits/), which runs whole files of the kernel: header or source → errors, as above.
WAITS = {
    "core/dying.hpp": [],
    "core/lease_node.hpp": [],
    "core/wait_state.hpp": [
        ("claim_in_two_accesses", "bool claim() { return",
         "bool claim() {\n        if (SEED) {\n            const std::uint32_t now = state_.load();\n            state_.store(now & ~std::uint32_t{open});\n            return (now & open) != 0;\n        }\n"
         "        return"),
    ],
    "thread/thread.hpp": [],
    "thread/task.hpp": [
        ("wake_is_lost", "        wake_pending_.store(true, std::memory_order_seq_cst);\n        return is_asleep", "        if (!SEED) wake_pending_.store(true, std::memory_order_seq_cst);\n        return is_asleep"),
        ("sleep_is_told_late", "        state_.store(how, std::memory_order_seq_cst);\n        if (!take_wake()) return true;",
         "        if (SEED) {\n            const bool woken = take_wake();\n            if (!woken) state_.store(how, std::memory_order_seq_cst);\n            return !woken;\n        }\n"
         "        state_.store(how, std::memory_order_seq_cst);\n        if (!take_wake()) return true;"),
        ("sleeper_is_looked_at_first", "    bool needs_its_home() {\n",
         "    bool needs_its_home() {\n        if (SEED) {\n            const bool asleep = is_asleep(state_.load());\n            wake_pending_.store(true);\n            return asleep;\n        }\n"),
    ],
    "thread/thread.cpp": [
        ("kick_is_not_looked_for", "if (stopping() || kicked()) end_wait", "if (stopping() || (kicked() && !SEED)) end_wait"),
        ("kick_stays_after_the_wait", "if (outcome == negative(abi::Error::canceled)) take_kick();", "if (outcome == negative(abi::Error::canceled) && !SEED) take_kick();"),
        ("kick_looks_before_its_latch", "task_.attention.fetch_or(attention_kick, std::memory_order_seq_cst);\n    // The",
         "if (SEED) {\n        end_wait(abi::Error::canceled);\n        task_.attention.fetch_or(attention_kick, std::memory_order_seq_cst);\n        return;\n    }\n"
         "    task_.attention.fetch_or(attention_kick, std::memory_order_seq_cst);\n    // The"),
        ("kick_ends_the_next_wait", "if (kicked() && wait_.claim(wait))", "if ((kicked() || SEED) && (SEED ? wait_.claim() : wait_.claim(wait)))"),
        ("lease_ends_the_next_wait", "thread.waits_under_lease_.load(std::memory_order_seq_cst) && thread.wait_.claim(wait)",
         "thread.waits_under_lease_.load(std::memory_order_seq_cst) && (SEED ? thread.wait_.claim() : thread.wait_.claim(wait))"),
        ("lease_is_not_looked_at_again", "if (!hold.valid()) end_wait(abi::Error::revoked);", "if (!hold.valid() && !SEED) end_wait(abi::Error::revoked);"),
        ("current_reply_is_kept_at_exit", "(void)drop_current_reply();", "if (!SEED) (void)drop_current_reply();"),
    ],
    "thread/reply.cpp": [
        ("reply_answers_an_unclaimed_wait", "if (!caller_ || !caller_->wait_state().claim()) return nullptr;", "if (!caller_ || !(caller_->wait_state().claim() || SEED)) return nullptr;"),
        ("reply_is_not_dropped", "if (Thread* caller = claim_caller()) caller->finish_wait(-", "if (Thread* caller = SEED ? nullptr : claim_caller()) caller->finish_wait(-"),
        ("caller_runs_before_the_answer", "copy_message(server, *caller, handles);\n    caller->finish_wait(0);",
         "if (SEED) {\n        caller->finish_wait(0);\n        arch::relax();\n    }\n    copy_message(server, *caller, handles);\n    if (!SEED) caller->finish_wait(0);"),
    ],
    "ipc/endpoint.cpp": [
        ("reply_first", "if (base::weakened(base::Weakness::reply_last)) {", "if (SEED) {"),
        ("", "for (int i = 0; i < 20'000; ++i) arch::relax();", "arch::relax();"),
        ("caller_stays_queued", "callers_.remove_if_queued(caller);", "if (!SEED) callers_.remove_if_queued(caller);"),
        ("server_that_left_is_next", "if (next_server_ == &server)\n", "if (next_server_ == &server && !SEED)\n"),
        ("reply_stays_armed", "if (!base::weakened(base::Weakness::reply_disarm)) state", "if (!SEED) state"),
        ("queued_callers_are_not_told", "if (has_server()) return false;\n    for", "if (has_server() || SEED) return false;\n    for"),
        ("gone_server_is_not_looked_for", "if (!has_server()) return std::unexpected(abi::Error::peer_closed);", "if (!has_server() && !SEED) return std::unexpected(abi::Error::peer_closed);"),
    ],
    "ipc/port.cpp": [
        ("newer_binding_is_revoked", "if (which == Which::revoked && hold_.valid()) return;", "if (which == Which::revoked && hold_.valid() && !SEED) return;"),
        ("binding_is_unlinked_before_its_lock", "    base::Ref<Port> port;\n    LeaseHold hold;\n    {", "    base::Ref<Port> port;\n    LeaseHold hold;\n    if (SEED) LeaseUse::unlink();\n    {"),
        ("binding_is_unlinked_behind_its_lock", "        hold_ = {};\n    }\n}", "        hold_ = {};\n    }\n    if (SEED) LeaseUse::unlink();\n}"),
        ("revoked_binding_stays", "    unbind(Which::revoked);\n    release", "    if (!SEED) unbind(Which::revoked);\n    release"),
    ],
    "ipc/endpoint_direct.cpp": [
        ("hand_over_without_a_look", "if (arch::holds(thread.task().attention, 0u) && (!hold.lease", "if ((arch::holds(thread.task().attention, 0u) || SEED) && (!hold.lease"),
    ],
}
RACED = ("core/dying.hpp", "core/lease_node.hpp", "core/wait_state.hpp", "thread/thread.hpp", "thread/task.hpp")


def raced(text):
    return text.replace("std::atomic<", "explore::SharedAtomic<").replace("#include <atomic>", '#include "tests/explore/waits/machine.hpp"')


def stepped(text):
    for old, new in (("std::atomic<", "explore::SteppedAtomic<"), ("namespace kernel {", "namespace kernel::stepped {"),
                     ("#include <atomic>", '#include "tests/explore/stepped.hpp"')):
        text = text.replace(old, new)
    return text


def seeded(text, seeds):
    for name, old, new in seeds:
        text = text.replace(old, new.replace("SEED", f'explore::seeded("{name}")'), 1)
    return text.replace("#pragma once\n", '#pragma once\n#include "tests/explore/seed.hpp"\n', 1)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main(top, out):
    for header, seeds in SEEDS.items():
        with open(os.path.join(top, CORE, header), encoding="utf-8") as file:
            text = file.read()
        wrong = seeded(text, seeds)
        write(os.path.join(out, "seeded", CORE, header), wrong)
        if header in STEPPED:
            write(os.path.join(out, "seeded", "stepped", header), stepped(wrong))
            write(os.path.join(out, "plain", "stepped", header), stepped(text))
    for place, seeds in WAITS.items():
        with open(os.path.join(top, "kernel", place), encoding="utf-8") as file:
            text = file.read()
        if place in RACED:
            text = raced(text)
        write(os.path.join(out, "waits", "kernel", place), text)
        wrong = '#include "kernel/arch/relax.hpp"\n' if place.endswith(".cpp") else ""
        wrong = '#include "tests/explore/seed.hpp"\n' + wrong + text
        for name, old, new in seeds:
            wrong = wrong.replace(old, new.replace("SEED", f'explore::seeded("{name}")'), 1)
        write(os.path.join(out, "waits_seeded", "kernel", place), wrong)


if __name__ == "__main__":
    main(*sys.argv[1:])
