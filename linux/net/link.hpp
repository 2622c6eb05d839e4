// The sandbox' cable to the switch: a ring pair of Ethernet frames, served by one native thread that also drives the stack's timers.
#pragma once
#include "lib/ring/pair.hpp"
#include "linux/net/stack.hpp"

namespace personality::net {

// Starts the stack. `handles` are the sandbox' side (B) of the ring pair and taken over; without `settings` there is only the loopback interface and the handles
// are not looked at. `secret`: 32 random bytes. Lock not held. Once. Errors: those of attaching the rings and of starting a thread.
base::Result<void> start(std::span<const std::byte, 32> secret, const InterfaceSettings* settings, const ring::Handles& handles);

// Waits until the peers have acknowledged all that was sent, at most until `deadline`: before the sandbox goes. Lock not held.
void drain(abi::Deadline deadline);

} // namespace personality::net
