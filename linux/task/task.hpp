// A thread of a guest program: a native thread of the personality that runs it in restricted mode.
#pragma once
#include "abi/thread_page.hpp"
#include "linux/task/credentials.hpp"
#include "linux/task/fault.hpp"
#include "linux/task/process.hpp"

#include <atomic>

namespace personality {

struct FutexWaiter;

// How a call goes on after a signal without a handler, where it cannot simply be made again (restart_syscall).
struct RestartBlock {
    LinuxResult<std::uint64_t> (*resume)(Task& task, const RestartBlock& block) = nullptr;
    std::uint64_t words[4] = {};
};

// Members: sandbox lock, unless marked [own] (only the task itself looks) or atomic.
class Task final : public base::RefCounted<Task>, public base::ListNodeOf<ThreadList> {
public:
    Task(std::int32_t tid, base::Ref<Process> process);
    ~Task();

    std::int32_t tid; // changes once at most: exec makes its caller the leader
    Process& process() const { return *process_; }
    const base::Ref<Process>& process_reference() const { return process_; }

    Credentials credentials;
    char name[16] = {}; // comm, NUL-terminated

    // Signals.
    SignalSet mask = 0;
    SignalSet saved_mask = 0; // while `mask_saved`: comes back after the call, or with the return from the handler
    bool mask_saved = false;  // [own]
    SignalSet waited_for = 0; // by sigtimedwait: blocked but for that, so `mask` lacks them meanwhile
    PendingSignals pending;
    SignalSet forced = 0; // pending for a fault of its own: process 1 is not spared these
    struct AlternateStack {
        std::uint64_t address = 0, size = 0;
        std::int32_t flags = 2; // SS_DISABLE
    } alternate_stack; // [own]
    // ppoll, epoll_pwait, sigsuspend: `temporary` holds until the call is over, and while a handler for a signal that it lets through runs. Nothing to undo.
    void use_temporary_mask(SignalSet temporary);
    bool signal_pending() const; // one that is not blocked, or the end of the process
    bool fatal_signal_pending() const; // one that will end the process, or its end

    // Addresses that programs registered. [own]
    std::uint64_t clear_child_tid = 0;
    std::uint64_t robust_list = 0;
    std::uint64_t robust_list_length = 0;
    RestartBlock restart;              // [own]
    std::uint64_t original_call = 0;   // [own] number of the call being served
    abi::GuestRegisters& registers() { return page->restricted.registers; } // [own]

    // The native thread. `page` is null until it runs.
    abi::ThreadPage* page = nullptr;
    abi::Handle thread = abi::no_handle;

    // The processors that it chose; 0: all. (linux/sandbox/processors.hpp)
    std::uint64_t processors = 0;

    // Sleeping: 1 awake, 0 asleep or about to be (linux/task/park.hpp).
    std::atomic<std::uint32_t> awake{1};
    // There may be signals, a stop or an end to look at before the guest goes on.
    std::atomic<bool> attention{false};

    bool exiting = false;
    // vfork: the parent waits until the child has left its memory.
    WaitQueue* vfork_done = nullptr;
    bool vfork_child = false;
    abi::GuestRegisters initial{}; // registers that a new thread starts with
    std::byte* vector_bytes = nullptr; // vector registers that it starts with; null: the initial ones
    std::size_t vector_length = 0;
    FaultRecord fault; // [own]
    std::uint64_t last_resolved = 0, last_resolved_rip = 0; // [own]
    std::uint32_t repeated_faults = 0;                      // [own]

    std::uint64_t minor_faults = 0, voluntary_switches = 0;

private:
    base::Ref<Process> process_;
};

// The calling task. Only on a task's own native thread (or with a test's double).
Task& current();

} // namespace personality
