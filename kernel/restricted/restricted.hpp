// Restricted mode: a thread of the personality runs a guest program in the guest half until a system call, a fault that the kernel cannot resolve, or a kick.
#pragma once
#include <cstdint>

#include "abi/thread_page.hpp"
#include "kernel/thread/thread.hpp"
#include "lib/base/result.hpp"

namespace kernel {

// The thread's saved registers are those of user mode, whichever that is; entering and leaving switch between the two frames of its stack. The personality
// then finds itself behind its restricted_enter with rax = 0. The usual round trip, without operations and between two system calls, is entry.S's alone.

inline constexpr std::uint32_t enter_reset_vector = 1u << 0;

// Does the map operations of the thread's page and makes the guest's registers those that the thread returns to user mode with. The page is read once, and what is
// read is made safe. Errors: bad_state (no space attached), bad_argument, and the error of the first map operation that failed.
base::Result<void> enter_restricted(Thread& thread, std::uint32_t flags);

// Ends the guest's turn: its registers go to the thread's page with the reason, the personality's come back.
void leave_restricted(Thread& thread, abi::ExitReason reason, std::uint32_t vector = 0, std::uint64_t error_code = 0,
                      std::uint64_t fault_address = 0);

// What the guest may have in RFLAGS: the arithmetic flags, trap, direction, alignment check and the ID flag; interrupts stay on.
constexpr std::uint64_t guest_flags(std::uint64_t flags) {
    constexpr std::uint64_t allowed = 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000;
    constexpr std::uint64_t always = 0x2 | 0x200;
    return (flags & allowed) | always;
}

} // namespace kernel
