#include "linux/task/park.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/thread_block.hpp"
#include "linux/core/lock.hpp"

namespace personality {

Task& current() { return *static_cast<Task*>(native::current_thread().user); }

void wake_task(Task& task) {
    if (task.awake.exchange(1, std::memory_order_seq_cst) == 0)
        native::futex_wake(&task.awake, 1);
}

void interrupt_task(Task& task) {
    task.attention.store(true, std::memory_order_seq_cst);
    if (task.awake.exchange(1, std::memory_order_seq_cst) == 0) {
        native::futex_wake(&task.awake, 1);
        return;
    }
    // It clears `thread` under the lock before it leaves, so the handle is good.
    if (task.thread != abi::no_handle && native::current_thread().user != &task)
        (void)native::call::thread_kick(task.thread);
}

LinuxResult<void> sleep(Task& task, const bool& woken, abi::Deadline deadline, Until until) {
    const auto disturbed = [&] {
        return until == Until::signal ? task.signal_pending() : task.exiting || task.process().ending;
    };
    ++task.voluntary_switches;
    for (;;) {
        task.awake.store(0, std::memory_order_seq_cst);
        if (woken || disturbed()) {
            task.awake.store(1, std::memory_order_relaxed);
            if (woken)
                return {};
            return fail(Errno::ERESTARTSYS);
        }
        bool late = false;
        {
            SandboxUnlock unlocked;
            const auto waited = native::futex_wait(&task.awake, 0, deadline);
            late = !waited && waited.error() == abi::Error::timed_out;
        }
        task.awake.store(1, std::memory_order_relaxed);
        if (late && !woken && !disturbed())
            return fail(Errno::ETIMEDOUT);
    }
}

LinuxResult<void> block_until(WaitQueue& queue, abi::Deadline deadline, Until until) {
    Task& task = current();
    TaskWaiter waiter(task);
    queue.add(waiter);
    auto result = sleep(task, waiter.woken, deadline, until);
    waiter.unlink();
    return result;
}

LinuxResult<void> block(WaitQueue& queue, abi::Deadline deadline) { return block_until(queue, deadline, Until::signal); }

} // namespace personality
