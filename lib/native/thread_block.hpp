// The control block of a native thread, at the top of its 64 KiB aligned stack: found from the stack pointer, since native code has no thread-local storage.
#pragma once
#include <cstdint>

#include "abi/start.hpp"
#include "abi/thread_page.hpp"
#include "abi/types.hpp"

namespace native {

struct alignas(16) ThreadBlock {
    abi::ThreadPage* page;
    abi::Handle handle;        // of the thread itself; no_handle where nobody gave it one
    void* user;                // the program's own
    void (*entry)(void*);      // of threads made by Thread
    void* argument;
    std::uint64_t reserved[3];
};
static_assert(sizeof(ThreadBlock) == 64);

inline ThreadBlock& current_thread() {
    std::uint64_t stack;
    asm("movq %%rsp, %0" : "=r"(stack));
    return *reinterpret_cast<ThreadBlock*>((stack & ~(abi::stack_size - 1)) + abi::stack_size - sizeof(ThreadBlock));
}

} // namespace native
