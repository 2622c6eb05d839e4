// The audit log: records of what was granted, taken and refused, kept by the CPU on which it happened until they are sealed into a batch and taken. See abi/audit.hpp.
#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "abi/audit.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/core/audit_payment.hpp"
#include "kernel/core/denials.hpp"
#include "kernel/object/capability.hpp"
#include "lib/base/result.hpp"

namespace kernel {

class SignalTarget;

// What a sandbox is allowed of the log: it is its processes', and what one of them fills it with takes nothing from others.
class AuditAccount {
public:
    // So many operations at once and so many a second may be recorded for a thread of the fair band; who makes more waits. Servers work for many, and wait for room alone.
    static constexpr std::uint64_t burst = 256, per_second = 16;

    // Who takes the records, or starts again who does, cannot wait until there is room. What then has none is lost.
    void set_never_waits() { never_waits_.store(true, std::memory_order_relaxed); }
    // The number of the first process whose account it is.
    void set_process(std::uint64_t number) { process_ = number; }
    std::uint64_t process() const { return process_; }
    bool never_waits() const { return never_waits_.load(std::memory_order_relaxed); }

private:
    friend class Audit;
    SpinLock lock_{LockRank::audit_account};
    base::RateLimit limit_ BASE_GUARDED_BY(lock_){burst, per_second};
    Denials denials_ BASE_GUARDED_BY(lock_);
    std::atomic<bool> never_waits_{false};
    std::uint64_t process_ = 0; // set before anybody else knows it
};

// What a record says, but for its time and CPU. What an operation does not speak of stays 0; `word` is the badge, place or count.
struct AuditEvent {
    abi::AuditOperation operation;
    std::uint64_t process = 0;
    abi::ObjectKind kind = abi::ObjectKind::none;
    std::uint16_t call = 0;
    std::uint64_t object = 0;
    std::uint64_t other = 0;
    abi::Rights rights = 0;
    std::uint32_t error = 0;
    std::uint64_t word = 0;
    std::uint64_t lease = 0;
};

// What a record says of a capability that the process `process` makes, of its own or for the process `other`.
inline AuditEvent event_of(abi::AuditOperation operation, std::uint64_t process, const Capability& capability, std::uint64_t other = 0) {
    const Object& object = *capability.object;
    return {.operation = operation,
            .process = process,
            .kind = object.kind(),
            .object = object.number(),
            .other = other,
            .rights = capability.rights,
            .word = capability.badge,
            .lease = capability.hold.lease ? capability.hold.lease->number() : 0};
}

class Audit {
public:
    // Once, when all CPUs are online and there are frames. What comes before is not recorded.
    static void initialize();

    // One more, at the end of a call that has done it: where there is no room the caller waits, but for one that ends. Without locks.
    static void record(AuditAccount& account, const AuditEvent& event, AuditPayment payment);
    // The same of an object that was taken into a capability by the process `process`.
    static void record(AuditAccount& account, AuditPayment payment, abi::AuditOperation operation, std::uint64_t process, const Object& object, abi::Rights rights, std::uint64_t other, std::uint64_t badge,
                       const LeaseHold& hold);
    // Of a thread of the fair band, before it does what is recorded, for one that ends waits for nothing behind it: takes some records from the account and gives how many, 0 where none is needed; waits while there
    // is none. Errors: canceled, the caller ends. Without locks.
    static base::Result<std::uint32_t> take_ahead(AuditAccount& account);
    // So many that were taken from the account were not made. Under any lock of a lower rank.
    static void give_back(AuditAccount& account, std::uint32_t records);
    // The same of a note. `text`: 32 bytes.
    static void note(AuditAccount& account, std::uint64_t process, const Object& object, const abi::AuditNote& note);
    // From any context; where there is no room it is counted as lost. Whoever takes the records learns of it by tell(), which the caller comes to when it holds no lock.
    static void record_now(const AuditEvent& event);
    static void tell();
    // For an operation whose records cannot wait when their time comes: takes so many from the account, once it owes none. Errors: canceled, the caller ends. Without locks.
    static base::Result<void> take_for_later(AuditAccount& account, std::uint32_t records);
    // For the same: waits until there is room for so many on this CPU, where it is until the next preemption point. Without locks.
    static void wait_for_room(const AuditAccount& account, std::uint32_t places);
    // The same for who cannot wait here, for servers as well as others: false where there is no room. Under any lock.
    static bool has_room(const AuditAccount& account, std::uint32_t places);
    // So many were recorded that no record() took from the account.
    static void charge(AuditAccount& account, std::uint32_t records);

    // A call was refused. Without locks.
    static void denied(AuditAccount& account, std::uint64_t process, std::uint64_t call, abi::Error error);
    // The account's last process ends.
    static void finish(AuditAccount& account);

    // Whoever takes the records: one at a time.
    class Turn {
    public:
        Turn();
        ~Turn();
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        // False: somebody else is at it.
        explicit operator bool() const { return mine_; }

    private:
        bool mine_;
    };
    // Whether `kept` is the batch that was given last, or the one before it; or abi::audit_kept_nothing.
    static bool is_known(const Turn& turn, std::uint64_t kept);
    // The batch behind `kept`, which is known, or the newest one; it stays as it is as long as the turn. Null where there is no record: `bell`, a part of `owner`, is signalled when there is one. In steps, without locks.
    static const abi::AuditBatch* next(const Turn& turn, std::uint64_t kept, base::Ref<Object> owner, SignalTarget& bell, const LeaseHold& hold);

private:
    static bool take(AuditAccount& account, std::uint64_t now);
    static void record_late(AuditAccount& account, const AuditEvent& event, bool takes);
    static void record_in_place(AuditAccount& account, const AuditEvent& event, AuditPayment payment);
    static void record_denials(const AuditAccount& account, std::span<const Denials::Record> records);
};

} // namespace kernel
