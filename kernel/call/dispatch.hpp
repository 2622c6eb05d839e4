// The border between user mode and the kernel's objects.
#pragma once
#include <cstdint>

#include "kernel/arch/registers.hpp"

namespace kernel {

class Thread;

// A native system call: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9. Writes rax and rdx, unless the thread now runs a guest.
void dispatch(Thread& caller, arch::Registers& registers);

// The same for a call that neither has a register convention of its own nor enters a guest: of `registers` the arguments alone are looked at. Gives what rax is to be, and writes rdx.
std::uint64_t dispatch_plain(Thread& caller, std::uint64_t number, arch::Registers& registers);

// An exception in user mode: resolves it, hands it to the personality, or ends the process. `fault_address` is CR2 of a page fault.
// What comes back in `registers` is what user mode goes on with. Interrupts off.
void handle_user_exception(arch::Registers& registers, std::uint64_t fault_address);

// The last thing before an interrupt returns to user mode. Interrupts off.
void before_return_to_user();

} // namespace kernel
