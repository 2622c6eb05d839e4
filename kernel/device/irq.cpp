#include "kernel/device/irq.hpp"

#include "kernel/arch/apic.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/audit/audit.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t gsi_count = 256;
constinit SpinLock sources_lock{LockRank::irq_sources};
constinit bool source_taken[gsi_count] BASE_GUARDED_BY(sources_lock) = {};

bool take_source(std::uint64_t gsi) {
    LockGuard guard(sources_lock);
    return !std::exchange(source_taken[gsi], true);
}

void give_source(std::uint64_t gsi) {
    LockGuard guard(sources_lock);
    source_taken[gsi] = false;
}

void on_interrupt(void* context) { static_cast<Irq*>(context)->fire(); }

} // namespace

base::Result<base::Ref<Irq>> Irq::create(Quota& quota, std::uint64_t source, std::uint32_t flags) {
    if (source != message_signalled && source >= gsi_count) return std::unexpected(abi::Error::bad_argument);
    auto irq = TRY(make_object<Irq>(quota));
    if (source != message_signalled && !take_source(source)) return std::unexpected(abi::Error::exists);
    irq->source_ = source;
    irq->flags_ = flags;
    irq->taken_ = true;
    irq->vector_ = arch::register_interrupt(on_interrupt, irq.get());
    if (irq->vector_ == 0) return std::unexpected(abi::Error::no_memory);
    if (source != message_signalled) {
        const bool routed = arch::route_interrupt(static_cast<std::uint32_t>(source), static_cast<std::uint8_t>(irq->vector_),
                                                  arch::this_cpu().apic_id, flags & 1, flags & 2);
        if (!routed) return std::unexpected(abi::Error::bad_argument);
        irq->routed_ = true;
    }
    return irq;
}

Irq::~Irq() {
    unbind(Which::any);
    if (!taken_) return;
    // A number without a line of its own must not reach another one's.
    if (routed_) arch::mask_interrupt(static_cast<std::uint32_t>(source_), true);
    if (vector_) arch::unregister_interrupt(static_cast<std::uint8_t>(vector_));
    if (source_ != message_signalled) give_source(source_);
}

base::Result<void> Irq::bind(base::Ref<Notification> notification, std::uint64_t bits, const LeaseHold& hold, const LeaseHold& target) {
    LockGuard guard(lock_);
    if (is_root() || notification_ || bits == 0) return std::unexpected(abi::Error::bad_state);
    if (hold.lease && !link(*hold.lease, hold.generation)) return std::unexpected(abi::Error::revoked);
    notification_ = std::move(notification);
    bits_ = bits;
    hold_ = hold;
    target_ = target;
    if (source_ != message_signalled) arch::mask_interrupt(static_cast<std::uint32_t>(source_), false);
    return {};
}

base::Result<void> Irq::acknowledge() {
    LockGuard guard(lock_);
    if (!notification_) return std::unexpected(abi::Error::bad_state);
    if (source_ != message_signalled) arch::mask_interrupt(static_cast<std::uint32_t>(source_), false);
    return {};
}

void Irq::inspect(abi::IrqInfo& info) {
    LockGuard guard(lock_);
    info.vector = vector_;
    info.count = count_;
    if (is_root() || source_ != message_signalled) return;
    // SDM volume 3, 10.11: physical destination, fixed delivery, edge.
    info.message_address = 0xfee00000 | (std::uint64_t{arch::cpu(0).apic_id} << 12);
    info.message_data = vector_;
}

void Irq::fire() {
    LockGuard guard(lock_);
    ++count_;
    // A level stays asserted until the driver has served the device; a message is an edge, and its mask belongs to the pci server.
    if (source_ != message_signalled) arch::mask_interrupt(static_cast<std::uint32_t>(source_), true);
    if (notification_ && target_.valid()) notification_->signal(bits_);
}

void Irq::unbind(Which which) {
    base::Ref<Notification> notification;
    LeaseHold hold, target;
    {
        LockGuard guard(lock_);
        if (!notification_) return;
        // Another binding may have come after the one that the revocation met.
        if (which == Which::revoked && hold_.valid()) return;
        unlink();
        notification = std::move(notification_);
        hold = std::move(hold_);
        hold_ = {};
        target = std::move(target_);
        target_ = {};
        if (source_ != message_signalled) arch::mask_interrupt(static_cast<std::uint32_t>(source_), true);
    }
    Audit::record_now({.operation = abi::AuditOperation::unbind, .kind = kind(), .object = number(), .word = source_, .lease = hold.lease ? hold.lease->number() : 0});
    Audit::tell();
}

bool Irq::begin_end() { return !base::weakened(base::Weakness::revoke_interrupt) && try_retain(); }

void Irq::end_use() {
    unbind(Which::revoked);
    release();
}

} // namespace kernel
