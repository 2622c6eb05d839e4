// Wait queues: how a task waits for a pipe, a socket, a child.
//
// One lock per sandbox, the sandbox lock, guards all state of the personality that is not said to have a lock of its own. A call handler takes it, works, and
// lets go; `block` lets go while it sleeps. It is never held while guest memory is touched: copy in before, copy out after.
#pragma once
#include "abi/types.hpp"
#include "lib/base/list.hpp"
#include "linux/core/errno.hpp"

namespace personality {

// Somebody in a wait queue: a sleeping task, an epoll item.
class Waiter : public base::ListNode {
public:
    virtual ~Waiter() = default;
    // Called with the sandbox lock held. `events` are EPOLL* bits, 0 means anything may have changed. Must not block, add or remove other waiters of the queue.
    virtual void wake(std::uint32_t events) = 0;
};

// All members: sandbox lock held.
class WaitQueue {
public:
    void add(Waiter& waiter) { waiters_.push_back(waiter); }
    void remove(Waiter& waiter) { waiters_.remove(waiter); }
    void wake(std::uint32_t events = 0);
    bool empty() const { return waiters_.empty(); }

private:
    base::List<Waiter> waiters_;
};

// Sleeps until one of `queue`'s wakes, the deadline, or a signal for the calling task. Sandbox lock held at entry and exit, let go while it sleeps.
// Errors: ERESTARTSYS (a signal is pending), ETIMEDOUT. Spurious returns are allowed: callers loop over their condition.
LinuxResult<void> block(WaitQueue& queue, abi::Deadline deadline = abi::never);

} // namespace personality
