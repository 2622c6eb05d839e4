// Notification: a word of 64 bits that collects signals.
#pragma once
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

    // Takes all bits, waiting for one. Errors: timed_out, canceled, revoked, would_block (deadline poll).
    base::Result<std::uint64_t> wait(Thread& thread, const LeaseHold& hold, abi::Deadline deadline);

private:
    std::uint64_t take_event(bool& again) override;

    SpinLock lock_{LockRank::notification};
    std::uint64_t bits_ BASE_GUARDED_BY(lock_) = 0;
    ThreadQueue waiters_ BASE_GUARDED_BY(lock_);
};

} // namespace kernel
