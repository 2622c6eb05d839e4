#include "kernel/ipc/notification.hpp"

#include "kernel/thread/thread.hpp"

namespace kernel {

void Notification::signal(std::uint64_t bits) {
    if (bits != 0 && add(bits)) tell();
}

void Notification::tell() {
    {
        LockGuard guard(lock_);
        bool more = false;
        // The bits stay in the word: the waiter takes them when it runs, and whoever signals until then adds to them.
        Thread* const waiter = waiters_.claim_first(more);
        has_waiters_.store(!waiters_.empty(), std::memory_order_relaxed);
        if (waiter) {
            waiter->finish_wait(0);
            return;
        }
        // Those whose waits have ended tell of the bits as they leave.
        if (more) return;
    }
    if (may_be_bound()) notify_port();
}

bool Notification::queue(Thread& thread) {
    LockGuard guard(lock_);
    has_waiters_.store(true, std::memory_order_seq_cst);
    if (bits_.load(std::memory_order_seq_cst) != 0) return false;
    thread.wait_state().announce();
    waiters_.push(thread);
    return true;
}

base::Result<std::uint64_t> Notification::wait(Thread& thread, const LeaseHold& hold, abi::Deadline deadline) {
    for (;;) {
        if (const std::uint64_t bits = take()) return bits;
        if (deadline == abi::poll) return std::unexpected(abi::Error::would_block);
        if (!queue(thread)) continue;
        const std::int32_t outcome = thread.wait(deadline, hold);
        // Woken before a revocation, it may run after it: what came is somebody else's then.
        if (outcome != 0 || !hold.valid()) {
            {
                LockGuard guard(lock_);
                waiters_.remove_if_queued(thread);
            }
            if (bits_.load(std::memory_order_seq_cst) != 0) tell();
            return std::unexpected(outcome != 0 ? static_cast<abi::Error>(-outcome) : abi::Error::revoked);
        }
    }
}

std::uint64_t Notification::take_event(bool& again) {
    again = false;
    return take();
}

} // namespace kernel
