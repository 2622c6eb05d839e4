// Notification: a word of 64 bits that collects signals.
#pragma once
#include <cstdint>

#include "kernel/ipc/port.hpp"
#include "kernel/ipc/thread_queue.hpp"

namespace kernel {

class Notification final : public PortSource {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::notification;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::send |
                                          abi::right::receive | abi::right::bind;

    Notification() : PortSource(object_kind) {}

    // Sets bits and wakes one waiter or the port. From any context, interrupts included.
    void signal(std::uint64_t bits);

    // Takes all bits, waiting for one. Errors: timed_out, canceled, revoked, would_block (deadline poll).
    base::Result<std::uint64_t> wait(Thread& thread, const LeaseHold& hold, abi::Deadline deadline);

private:
    std::uint64_t take_event(bool& again) override;

    SpinLock lock_;
    std::uint64_t bits_ = 0;
    ThreadQueue waiters_;
};

} // namespace kernel
