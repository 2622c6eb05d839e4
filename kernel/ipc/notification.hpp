// Notification: a word of 64 bits that collects signals.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/ipc/port.hpp"
#include "kernel/object/signal_target.hpp"
#include "kernel/thread/thread_queue.hpp"

namespace kernel {

class Notification final : public PortSource, public SignalTarget {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::notification;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::send |
                                          abi::right::receive | abi::right::bind;

    Notification() : PortSource(object_kind) {}

    // Wakes one waiter or the port.
    void signal(std::uint64_t bits) override;

    // The parts of signal(), for whoever keeps the Notification alive by a lock: add() sets bits, and is true where tell() must follow, without locks that come after a
    // notification's. While is_heard() is false nobody waits, here or at a port.
    bool is_heard() const { return arch::holds(has_waiters_, true) || may_be_bound(); }
    bool add(std::uint64_t bits) {
        bits_.fetch_or(bits, std::memory_order_seq_cst);
        return is_heard();
    }
    void tell();

    // All bits, which are cleared; 0 where there are none.
    std::uint64_t take() { return bits_.exchange(0, std::memory_order_seq_cst); }

    // Takes all bits, waiting for one. Errors: timed_out, canceled, revoked, would_block (deadline poll).
    base::Result<std::uint64_t> wait(Thread& thread, const LeaseHold& hold, abi::Deadline deadline);

private:
    std::uint64_t take_event(bool& again) override;
    // Puts the thread into the queue, its wait announced; false, and nothing done, where bits are set.
    bool queue(Thread& thread);

    SpinLock lock_{LockRank::notification};
    // Bits are set before it is asked whether anybody hears of them, and whoever will hear says so before it looks at the bits: one of the two sees the other.
    std::atomic<std::uint64_t> bits_ = 0;
    std::atomic<bool> has_waiters_ = false; // false: waiters_ is empty; written under lock_
    ThreadQueue waiters_ BASE_GUARDED_BY(lock_);
};

} // namespace kernel
