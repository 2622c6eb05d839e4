// When TCP wants to be called. lwIP counts ticks of every connection as long as there is one; here ticks in which nothing would happen are not waited for: they are added
// to its counters afterwards, before anybody looks at them. Sandbox lock.
#pragma once
#include "abi/types.hpp"

#include <cstdint>

namespace personality::net {

class TcpTimer {
public:
    void start(std::uint64_t now) { last_tick_ = now; }
    // Before a call into lwIP that concerns TCP.
    void catch_up(std::uint64_t now);
    // When run() has something to do; `never` while every connection rests.
    abi::Deadline next();
    void run(std::uint64_t now);

private:
    void count(std::uint64_t now);
    void plan(std::uint64_t now);

    std::uint64_t last_tick_ = 0;        // when the last tick ended that is in lwIP's counters
    std::uint64_t ticks_to_event_ = 1;   // of all connections, from there
    abi::Deadline look_ = abi::never;    // when connections that were used are asked for what they wait for
    bool ran_ = false;                   // the plan is of before the last tick
};

} // namespace personality::net
