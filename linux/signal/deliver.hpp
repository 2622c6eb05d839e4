// From pending signals to handlers, stops and ends: what a task does before its guest goes on.
#pragma once
#include "linux/core/errno.hpp"
#include "linux/signal/actions.hpp"
#include "linux/signal/signal_info.hpp"

namespace personality {

class Task;

// The call that was just served, where one was: decides whether it is made again.
struct CallOutcome {
    Errno error{};
    bool failed = false;
};

// On the task's own thread, without locks. Does not return where the task ends.
void deliver_signals(Task& task, CallOutcome outcome);

// The exception in the task's state page: resolves it or makes it a signal.
void handle_fault(Task& task);

// A signal that an instruction of the task caused: where it is blocked or ignored, the process ends with it. Lock not held.
void force_signal(Task& task, const SignalInfo& info);

// linux/signal/frame.cpp. Builds the frame on the guest's stack and lets the registers begin the handler. `old_mask` comes back with sigreturn. EFAULT.
LinuxResult<void> push_signal_frame(Task& task, const SignalAction& action, const SignalInfo& info, SignalSet old_mask);
// Takes the frame at the guest's stack pointer back. EFAULT: the program is beyond help.
LinuxResult<void> pop_signal_frame(Task& task);

} // namespace personality
