// The sandbox' cable to the switch: a ring pair of Ethernet frames, served by one native thread that also drives the stack's timers.
#pragma once
#include "lib/ring/pair.hpp"
#include "linux/net/stack.hpp"

namespace personality::net {

// Starts the stack. `handles` are the sandbox' side (B) of the ring pair and taken over; without `settings` there is only the loopback interface and the handles
// are not looked at. `secret`: 32 random bytes. Lock not held. Once. Errors: those of attaching the rings and of starting a thread.
base::Result<void> start(std::span<const std::byte, 32> secret, const InterfaceSettings* settings, const ring::Handles& handles);

// Calls `then`, with the sandbox lock, once the peers have acknowledged all that was sent, at `deadline` at the latest: a sandbox whose last program has ended stays
// until then, as a machine would. At once where nothing is under way. One at a time. Sandbox lock.
void when_all_sent(abi::Deadline deadline, void (*then)());

} // namespace personality::net
