// Port: one place to wait for many notifications and endpoints.
#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "abi/info.hpp"
#include "kernel/thread/thread_queue.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"

namespace kernel {

class Port;
class Thread;

// The part of a Notification or Endpoint that a Port knows. Lock order: the source's own lock, the binding's, then the port's or that
// of the lease tree: a source is linked to a lease exactly while it is bound under one, but for the time in which a revocation is about to end that binding.
class PortSource : public Object, public base::ListNodeOf<Port>, private LeaseUse {
public:
    // Binds to a port under `key`, as long as the capability of the source lives. Errors: exists, revoked.
    base::Result<void> bind(base::Ref<Port> port, std::uint64_t key, const LeaseHold& hold);
    void unbind() { unbind(Which::any); }

protected:
    explicit PortSource(abi::ObjectKind kind) : Object(kind) {}
    ~PortSource() override;

    // Tells the port, if there is one, that take_event may give something. With or without the source's lock; from interrupts too.
    void notify_port();
    // Asked after something was made pending, by a write in the one order of all such, or under a lock that take_event takes too. False: no port hears of it, and one that is
    // bound after finds it there.
    bool may_be_bound() const { return arch::holds(bound_, true); }

private:
    friend class Port;
    enum class Which : bool { any, revoked };
    void unbind(Which which);
    // The bits of an event now pending, or 0. `again` is set where the source stays ready.
    virtual std::uint64_t take_event(bool& again) = 0;
    bool begin_end() override;
    void end_use() override;

    SpinLock binding_lock_{LockRank::port_binding};
    base::Ref<Port> port_ BASE_GUARDED_BY(binding_lock_);
    std::atomic<bool> bound_ = false; // whether port_ is set; written under binding_lock_
    LeaseHold hold_ BASE_GUARDED_BY(binding_lock_);
    std::uint64_t key_ = 0; // fixed while it is bound
    bool queued_ = false; // under the port's lock
};

class Port final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::port;
    static constexpr abi::Rights rights =
        abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::receive;

    Port() : Object(object_kind) {}

    // Waits for events and writes up to events.size(); returns how many (at least one). Errors: timed_out, canceled, revoked, would_block (deadline poll).
    base::Result<std::size_t> wait(Thread& thread, const LeaseHold& hold, std::span<abi::PortEvent> events, abi::Deadline deadline);

private:
    friend class PortSource;
    std::size_t collect(std::span<abi::PortEvent> events, bool& more);
    // Where many waits have ended nobody yet: those that ended do it again as they leave.
    void wake_one() BASE_REQUIRES(lock_);

    SpinLock lock_{LockRank::port};
    base::List<PortSource, Port> ready_ BASE_GUARDED_BY(lock_);
    ThreadQueue waiters_ BASE_GUARDED_BY(lock_);
};

} // namespace kernel
