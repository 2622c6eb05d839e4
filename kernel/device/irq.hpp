// Irq: an interrupt as a capability. It signals a notification, and is masked from then until the driver acknowledges it.
#pragma once
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel {

class Irq final : public Object, private LeaseUse {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::irq;
    static constexpr abi::Rights rights =
        abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::acknowledge | abi::right::bind;
    static constexpr std::uint64_t message_signalled = UINT64_MAX;

    // The capability from which all others are made; it is no interrupt itself.
    Irq() : Object(object_kind) {}
    ~Irq() override;

    std::uint64_t source() const { return source_; }
    bool is_root() const { return vector_ == 0; }
    // source: a GSI of the IO APIC (flags bit 0 level, bit 1 active low), or message_signalled. Errors: bad_argument, exists, no_memory.
    static base::Result<base::Ref<Irq>> create(Quota& quota, std::uint64_t source, std::uint32_t flags);

    // Ends with the lease of `hold`; with that of `target`, the notification's, nothing is signalled any more. Errors: bad_state (bound, or the root), revoked.
    base::Result<void> bind(base::Ref<Notification> notification, std::uint64_t bits, const LeaseHold& hold, const LeaseHold& target);
    // Errors: bad_state (not bound).
    base::Result<void> acknowledge();
    void inspect(abi::IrqInfo& info);

    // From the interrupt's handler, interrupts off.
    void fire();

private:
    bool begin_end() override;
    void end_use() override;
    enum class Which : bool { any, revoked };
    void unbind(Which which);
    // What is bound ends with a record, where there is no lock.
    bool ends_long() const override {
        lock_.assume_held(); // nobody refers to it
        return notification_ != nullptr;
    }
    void end_in_steps() override { unbind(Which::any); }

    // The interrupt is linked to a lease exactly while it is bound under one, but for the time in which a revocation is about to end that binding.
    SpinLock lock_{LockRank::irq};
    base::Ref<Notification> notification_ BASE_GUARDED_BY(lock_);
    LeaseHold hold_ BASE_GUARDED_BY(lock_);
    LeaseHold target_ BASE_GUARDED_BY(lock_);
    std::uint64_t bits_ BASE_GUARDED_BY(lock_) = 0;
    std::uint64_t count_ BASE_GUARDED_BY(lock_) = 0;
    // Fixed by create:
    std::uint64_t source_ = 0;
    std::uint32_t flags_ = 0;
    std::uint32_t vector_ = 0;
    bool taken_ = false;  // source_ is this object's
    bool routed_ = false; // and has a line
};

} // namespace kernel
