// Native threads of the own process: a 64 KiB stack each, with a guard page at its low end and the control block at its top.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "lib/native/thread_block.hpp"

namespace native {

struct ThreadOptions {
    abi::Handle budget = abi::no_handle; // no_handle: the process' own
    void* user = nullptr;                // initial ThreadBlock::user
};

// A thread that nobody joins: it closes its own handle and gives its stack back when `entry` returns or it calls leave_thread. The handle of the new thread is given
// out for kicks and inspection and stays valid until the thread leaves, so its user must know that it has not. Errors: no_memory, no_slots.
base::Result<abi::Handle> start_thread(void (*entry)(void*), void* argument, const ThreadOptions& options = {});

// Ends the calling thread, which start_thread made. No destructor of the stack's frames runs.
[[noreturn]] void leave_thread();

// A thread that is waited for.
class Thread {
public:
    // Errors: as start_thread.
    static base::Result<Thread*> create(void (*entry)(void*), void* argument, const ThreadOptions& options = {});
    // Waits for the end and frees the object.
    void join();
    abi::Handle handle() const { return handle_; }

private:
    static void run(void* self);
    void (*entry_)(void*) = nullptr;
    void* argument_ = nullptr;
    abi::Handle handle_ = abi::no_handle;
    std::uint32_t done_ = 0; // futex
};

// For tests and figures: stacks that are mapped.
std::uint32_t mapped_stacks();

} // namespace native
