#include "kernel/ipc/port.hpp"

#include "kernel/core/preempt.hpp"
#include "kernel/thread/thread.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

PortSource::~PortSource() { unbind(Which::any); }

base::Result<void> PortSource::bind(base::Ref<Port> port, std::uint64_t key, const LeaseHold& hold) {
    {
        LockGuard guard(binding_lock_);
        if (port_) return std::unexpected(abi::Error::exists);
        if (hold.lease && !link(*hold.lease, hold.generation)) return std::unexpected(abi::Error::revoked);
        port_ = std::move(port);
        bound_.store(true, std::memory_order_seq_cst);
        key_ = key;
        hold_ = hold;
    }
    // What was pending before the binding is an event too.
    notify_port();
    return {};
}

void PortSource::unbind(Which which) {
    base::Ref<Port> port;
    LeaseHold hold;
    {
        LockGuard guard(binding_lock_);
        if (!port_) return;
        // Another binding may have come after the one that the revocation met.
        if (which == Which::revoked && hold_.valid()) return;
        LeaseUse::unlink();
        LockGuard port_guard(port_->lock_);
        if (queued_) port_->ready_.remove(*this);
        queued_ = false;
        port = std::move(port_);
        bound_.store(false, std::memory_order_relaxed);
        hold = std::move(hold_);
        hold_ = {};
    }
}

void PortSource::notify_port() {
    LockGuard guard(binding_lock_);
    if (!port_) return;
    LockGuard port_guard(port_->lock_);
    if (!queued_) {
        queued_ = true;
        port_->ready_.push_back(*this);
    }
    port_->wake_one();
}

bool PortSource::begin_end() { return try_retain(); }

void PortSource::end_use() {
    unbind(Which::revoked);
    release();
}

void Port::wake_one() {
    bool more = false;
    if (Thread* const waiter = waiters_.claim_first(more)) waiter->finish_wait(0);
}

std::size_t Port::collect(std::span<abi::PortEvent> events, bool& more) {
    // A source whose event somebody else took gives none: of those there may be any number.
    constexpr unsigned sources_of_step = 64;
    std::size_t count = 0;
    more = false;
    // Sources that stay ready go to the end again; the first of those marks the end of this round.
    PortSource* first_again = nullptr;
    for (unsigned looks = 0; count < events.size(); ++looks) {
        more = looks == sources_of_step;
        if (more) break;
        PortSource* source = nullptr;
        std::uint64_t key = 0;
        {
            LockGuard guard(lock_);
            if (ready_.empty() || &ready_.front() == first_again) break;
            source = ready_.pop_front();
            source->queued_ = false;
            if (base::weakened(base::Weakness::lock_order)) LockGuard binding(source->binding_lock_);
            key = source->key_;
            // A source in destruction unlinks itself; here it only leaves the list earlier.
            if (!source->try_retain()) continue;
        }
        bool again = false;
        if (const std::uint64_t bits = source->take_event(again)) events[count++] = {key, bits};
        if (again) {
            if (!first_again) first_again = source;
            LockGuard guard(source->binding_lock_);
            if (source->port_.get() == this) {
                LockGuard port_guard(lock_);
                if (!source->queued_) {
                    source->queued_ = true;
                    ready_.push_back(*source);
                }
            }
        }
        source->release();
    }
    return count;
}

base::Result<std::size_t> Port::wait(Thread& thread, const LeaseHold& hold, std::span<abi::PortEvent> events,
                                     abi::Deadline deadline) {
    for (;;) {
        bool more = false;
        if (const std::size_t count = collect(events, more)) return count;
        if (more) {
            preemption_point();
            TRY(thread.may_look_again(hold, deadline));
            continue;
        }
        if (deadline == abi::poll) return std::unexpected(abi::Error::would_block);
        {
            LockGuard guard(lock_);
            if (!ready_.empty()) continue;
            thread.wait_state().announce();
            waiters_.push(thread);
        }
        const std::int32_t outcome = thread.wait(deadline, hold);
        // Woken before a revocation, it may run after it: what came is somebody else's then.
        if (outcome != 0 || !hold.valid()) {
            LockGuard guard(lock_);
            waiters_.remove_if_queued(thread);
            if (!ready_.empty()) wake_one();
            return std::unexpected(outcome != 0 ? static_cast<abi::Error>(-outcome) : abi::Error::revoked);
        }
    }
}

} // namespace kernel
