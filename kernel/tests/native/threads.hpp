// What threads of tests are made of.
#pragma once
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"

namespace kernel_test {

// A budget for threads that stay on these processors.
inline native::Owned confined_to(std::uint64_t cpus) { return native::Owned(native::call::budget_create(quota(), budget(), {1024, 0, 0, 0, cpus}).value_or(0)); }

// A thread's whole life, without a stack of its own.
[[gnu::naked]] inline void leave_at_once() { asm volatile("mov %0, %%eax; syscall; ud2" ::"i"(static_cast<int>(abi::KernelCall::thread_exit))); }

} // namespace kernel_test
