#include "kernel/ipc/notification.hpp"

#include "kernel/thread/thread.hpp"

namespace kernel {

void Notification::signal(std::uint64_t bits) {
    if (bits == 0) return;
    {
        LockGuard guard(lock_);
        bits_ |= bits;
        while (Thread* waiter = waiters_.first()) {
            waiters_.remove(*waiter);
            // The bits stay in the word: the waiter takes them when it runs, and whoever signals until then adds to them.
            if (waiter->wait_state().claim()) {
                waiter->finish_wait(0);
                return;
            }
        }
        if (!may_be_bound()) return;
    }
    notify_port();
}

base::Result<std::uint64_t> Notification::wait(Thread& thread, const LeaseHold& hold, abi::Deadline deadline) {
    for (;;) {
        {
            LockGuard guard(lock_);
            if (bits_) return std::exchange(bits_, 0);
            if (deadline == abi::poll) return std::unexpected(abi::Error::would_block);
            thread.wait_state().announce();
            waiters_.push(thread);
        }
        const std::int32_t outcome = thread.wait(deadline, hold);
        if (outcome != 0) {
            LockGuard guard(lock_);
            waiters_.remove_if_queued(thread);
            return std::unexpected(static_cast<abi::Error>(-outcome));
        }
    }
}

std::uint64_t Notification::take_event(bool& again) {
    again = false;
    LockGuard guard(lock_);
    return std::exchange(bits_, 0);
}

} // namespace kernel
