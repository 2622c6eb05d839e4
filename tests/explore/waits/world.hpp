// Threads that call, serve, kick, stop, bind and revoke, for the wait protocol's model: each runs a short program of the kernel's real calls.
#pragma once
#include <cstdint>

namespace explore {

enum class Role : std::uint8_t {
    none,
    caller,   // calls `count` times
    server,   // takes `count` messages and answers them, then ends
    guesser,  // of the servers' process: answers by the handle that their first Reply will have
    kicker,   // kicks thread `target` once
    stopper,  // stops thread `target`
    revoker,  // revokes the lease of the leased calls, and of a binder's first binding
    binder,   // binds a Notification to a Port `count` times, under another lease after the first time, and ends each binding but the last
    unbinder, // ends whatever binding that one has
    clock,    // the deadline passes
};

struct Actor {
    Role role = Role::none;
    std::uint8_t count = 1;
    std::uint8_t target = 0;
    bool leased = false;   // the first call, or what the server receives by, lies under the lease
    bool deadline = false; // of every call, or every receive
    bool combined = false; // the server answers and receives in one call
    bool leaves = false;   // the server ends with its last message unanswered
    bool direct = false;   // tries the short way between two threads of a processor first
};

inline constexpr unsigned max_actors = 6;
struct Scenario {
    Actor actors[max_actors];
};

void make_world(const Scenario& scenario);
// Of a state in which nothing can run.
void check_rest(const Scenario& scenario);

} // namespace explore
