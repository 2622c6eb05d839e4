// The vector and x87 registers: a guest's alone. Native code uses none, so they are switched between threads only, never at a crossing.
#pragma once
#include <cstdint>

#include "kernel/thread/user_pointer.hpp"
#include "lib/base/result.hpp"

namespace kernel {

class Thread;

// A thread gets its area at its first restricted_enter; before that, and in all threads that never enter, the registers are switched off (CR0.TS), so that no
// native program reads what another thread's guest left in them.
//
// Gives the thread its area where it has none, and the initial state where it is new or `reset`. Errors: no_memory.
base::Result<void> prepare_vector_state(Thread& thread, bool reset);

// For the scheduler, around every switch between threads, on the CPU that switches.
void vector_switch_out(Thread& thread);
void vector_switch_in(Thread& thread);

// Frees the thread's area.
void release_vector_state(Thread& thread);
// The same by the thread itself, which goes on without one.
void leave_vector_registers(Thread& self);

// The vector_state call. The buffer is in XSAVE standard form (SDM volume 1, 13.4); a buffer of 512 bytes is the legacy region alone. Returns the bytes used.
// Errors: bad_argument (too short, or a state with features that are off), bad_pointer, no_memory.
base::Result<std::uint64_t> read_vector_state(Thread& thread, UserBytes buffer);
base::Result<std::uint64_t> write_vector_state(Thread& thread, UserBytes buffer);

} // namespace kernel
