// Records of a sandbox' `control` ring pair. Runtime is side A and hostile to nothing it has not checked: events come from inside the container's border.
#pragma once
#include "abi/types.hpp"

namespace abi::sandbox {

// Runtime to personality. Payload: TLV records with abi::runtime tags.
enum class Command : std::uint32_t {
    // argument*, environment*, directory?, user?, terminal?, rows?, columns?; the program gets the streams `stdio.N`. Answer: started.
    start = 1,
    signal = 2, // signal: to the first process; signal_kill ends every process, and is to be followed by exited
    resize = 3, // rows, columns
    shut_down = 4, // end all processes; answer: exited if something ran
    stats = 5, // answer: stats
    limits = 6, // cpu_quota, cpu_period, cpu_shares, cpu_mask: what /sys/fs/cgroup shows from now on
};

inline constexpr std::uint64_t signal_kill = 9, last_signal = 64;

// The personality knows the Linux calls 0 to 462; others it neither handles nor counts.
inline constexpr unsigned linux_calls = 463;

// Personality to runtime, at most 4096 bytes of payload. Another kind or length, like a broken ring, ends the personality.
enum class Event : std::uint32_t {
    ready = 1,     // the file system is mounted, commands are taken
    started = 2,   // linux_error
    exited = 3,    // number tag `signal` = wait status
    no_memory = 4, // no payload: the quota was exhausted and a program is ended for it
    missing_calls = 5, // missing_call*: numbers below linux_calls, at most missing_calls_at_once
    stats = 6,     // tasks, cpu_nanoseconds, received_bytes, sent_bytes
};

inline constexpr unsigned missing_calls_at_once = 128;

// Where the personality gets the streams of a run: it calls runtime (upwards in trust) through its endpoint `control.streams`, see abi/sandbox_control.abi.

} // namespace abi::sandbox
