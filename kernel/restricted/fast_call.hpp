// Calls of a guest that need nothing of its personality: what abi::FastCalls in the thread page lists.
#pragma once
#include "kernel/arch/registers.hpp"

namespace kernel {

class Thread;

// The calling thread's guest executed SYSCALL with these registers. True: it was answered, in rax. False: nothing has happened but that a wait may have come and gone, and the
// personality is to serve it. May wait; without locks.
bool serve_fast_call(Thread& thread, arch::Registers& registers);

} // namespace kernel
