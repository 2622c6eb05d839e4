// Sleeping and waking of tasks.
//
// Task::awake is 0 from just before a task looks for a reason not to sleep until it goes on. Whoever has a reason sets it to 1 after making the reason known; the kernel's
// futex tells the two orders apart, so no wake-up is lost, whatever lock guards the reason. Where the task is not asleep, a reason of the kind "look at your signals"
// is followed by a kick: the guest is left, or not entered. A kick that meets another wait of the native side does no harm there: the flag `attention` stays set.
#pragma once
#include "linux/core/wait.hpp"
#include "linux/task/task.hpp"

namespace personality {

// Ends the task's sleep. Any lock or none.
void wake_task(Task& task);
// The task is to look at its signals and its process' state: ends its sleep, or takes it out of the guest. Sandbox lock held.
void interrupt_task(Task& task);

enum class Until { signal, kill }; // what ends a sleep early: any signal that is not blocked; only the end of the process or thread

// A task in a wait queue.
class TaskWaiter final : public Waiter {
public:
    explicit TaskWaiter(Task& task) : task_(task) {}
    void wake(std::uint32_t) override {
        woken = true;
        wake_task(task_);
    }
    bool woken = false;

private:
    Task& task_;
};

// Sleeps until `woken`. Sandbox lock held at entry and exit. Errors: ERESTARTSYS, ETIMEDOUT.
LinuxResult<void> sleep(Task& task, const bool& woken, abi::Deadline deadline, Until until = Until::signal);
LinuxResult<void> block_until(WaitQueue& queue, abi::Deadline deadline, Until until);

} // namespace personality
