// Who meets whom. Few threads each, so that each walk reaches every state within its changes.
#pragma once
#include <string_view>

#include "tests/explore/waits/world.hpp"

namespace explore {

struct NamedScenario {
    const char* name;
    Scenario scenario;
    unsigned changes; // in the whole walk; the short one has one less
};

inline constexpr NamedScenario scenarios[] = {
    {"two_callers", {{{.role = Role::caller}, {.role = Role::caller}, {.role = Role::server, .count = 2}}}, 2},
    {"two_servers", {{{.role = Role::caller}, {.role = Role::caller}, {.role = Role::server}, {.role = Role::server}}}, 2},
    {"server_leaves", {{{.role = Role::caller, .count = 2}, {.role = Role::server, .leaves = true}, {.role = Role::caller}}}, 2},
    {"combined", {{{.role = Role::caller, .count = 2}, {.role = Role::server, .count = 2, .combined = true}, {.role = Role::kicker, .target = 0}}}, 2},
    {"combined_leaves", {{{.role = Role::caller}, {.role = Role::server, .combined = true, .leaves = true}, {.role = Role::kicker, .target = 1}}}, 2},
    {"direct", {{{.role = Role::caller, .count = 2, .direct = true}, {.role = Role::server, .count = 2, .combined = true, .direct = true}, {.role = Role::kicker, .target = 0}}}, 2},
    {"direct_kicked_server",
     {{{.role = Role::caller, .count = 2, .direct = true}, {.role = Role::server, .count = 3, .combined = true, .direct = true}, {.role = Role::kicker, .target = 1}}},
     2},
    {"direct_two_callers",
     {{{.role = Role::caller, .direct = true}, {.role = Role::caller, .direct = true}, {.role = Role::server, .count = 2, .combined = true, .direct = true}}},
     2},
    {"direct_lease",
     {{{.role = Role::caller, .count = 2, .leased = true, .direct = true}, {.role = Role::server, .count = 2, .combined = true, .direct = true}, {.role = Role::revoker}}},
     2},
    {"kicked_caller", {{{.role = Role::caller, .count = 2}, {.role = Role::server, .count = 2}, {.role = Role::kicker, .target = 0}}}, 2},
    {"kicked_of_two", {{{.role = Role::caller, .count = 2}, {.role = Role::caller}, {.role = Role::server, .count = 2}, {.role = Role::kicker, .target = 0}}}, 2},
    {"kicked_server", {{{.role = Role::caller}, {.role = Role::server, .count = 2}, {.role = Role::kicker, .target = 1}}}, 2},
    {"stopped_caller", {{{.role = Role::caller}, {.role = Role::caller}, {.role = Role::server, .count = 2}, {.role = Role::stopper, .target = 0}}}, 2},
    {"stopped_server", {{{.role = Role::caller}, {.role = Role::server}, {.role = Role::stopper, .target = 1}}}, 2},
    {"lease_of_a_call", {{{.role = Role::caller, .count = 2, .leased = true}, {.role = Role::server, .count = 2}, {.role = Role::revoker}}}, 2},
    {"lease_of_a_server", {{{.role = Role::caller}, {.role = Role::server, .count = 2, .leased = true}, {.role = Role::revoker}, {.role = Role::kicker, .target = 0}}}, 2},
    {"lease_of_a_binding", {{{.role = Role::binder}, {.role = Role::revoker}, {.role = Role::unbinder}}}, 2},
    {"lease_of_an_older_binding", {{{.role = Role::binder, .count = 2}, {.role = Role::revoker}}}, 2},
    {"binding_ended_twice", {{{.role = Role::binder, .count = 2}, {.role = Role::revoker}, {.role = Role::unbinder}}}, 2},
    {"deadline", {{{.role = Role::caller, .count = 2, .deadline = true}, {.role = Role::server, .count = 2}, {.role = Role::clock}}}, 2},
    {"deadline_of_a_server", {{{.role = Role::caller}, {.role = Role::server, .count = 2, .deadline = true}, {.role = Role::clock}}}, 2},
    {"deadline_and_kick",
     {{{.role = Role::caller, .deadline = true}, {.role = Role::server, .deadline = true}, {.role = Role::clock}, {.role = Role::kicker, .target = 0}, {.role = Role::stopper, .target = 1}}},
     2},
    {"guesser", {{{.role = Role::caller, .count = 2}, {.role = Role::server, .count = 2}, {.role = Role::guesser}}}, 2},
    {"all_at_once",
     {{{.role = Role::caller, .count = 2, .leased = true}, {.role = Role::caller, .deadline = true}, {.role = Role::server, .count = 2}, {.role = Role::server, .combined = true, .leaves = true},
       {.role = Role::kicker, .target = 0}, {.role = Role::revoker}}},
     1},
};

} // namespace explore
