#include "kernel/audit/audit.hpp"

#include <cstring>
#include <utility>

#include "kernel/arch/clock.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/audit_ring.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/object/signal_target.hpp"
#include "lib/base/processor_random.hpp"
#include "lib/base/sha256.hpp"

namespace kernel {

namespace {

// Of a ring's places: what threads of the fair band may fill, what servers may, and from where on whoever takes the records is told that room is short.
constexpr std::uint32_t fair_limit = AuditRing::capacity / 2, server_limit = AuditRing::capacity * 7 / 8, many = AuditRing::capacity / 4;
// Refusals do not wait, and leave room to what does.
constexpr std::uint32_t denial_limit = many;
static_assert(denial_limit < fair_limit && fair_limit < server_limit);

constinit AuditRing* rings[arch::max_cpus] = {};
// Of whoever takes the records: when the last one of each ring was written.
constinit std::uint64_t taken_until[arch::max_cpus] = {};

constinit std::atomic<bool> at_work{false}; // a Turn
// Since somebody takes records. Before that nobody waits, and what has no room is lost: there is a log that is not read.
constinit std::atomic<bool> has_taker{false};
// Of whoever has the turn: the batch that was given last, or is being made.
constinit abi::AuditBatch* batch = nullptr;

// Whoever takes the records is told once by each of these, until it finds none again.
constinit std::atomic<std::uint64_t> to_tell{0}; // audit_signal
constinit SpinLock bell_lock{LockRank::audit_bell};
struct Bell {
    base::Ref<Object> owner;
    SignalTarget* target = nullptr;
    LeaseHold hold;
};
[[clang::no_destroy]] constinit Bell bell BASE_GUARDED_BY(bell_lock);

AuditRing* this_ring() { return rings[arch::this_cpu().index]; }

void ring_bell(std::uint64_t bits) {
    bits &= to_tell.fetch_and(~bits, std::memory_order_seq_cst);
    if (bits == 0) return;
    Bell told;
    {
        LockGuard guard(bell_lock);
        told = bell;
    }
    if (told.target && told.hold.valid()) told.target->signal(bits);
}

// What whoever takes the records was not told yet. Without locks.
void tell_taker() {
    const std::uint64_t open = to_tell.load(std::memory_order_seq_cst);
    const AuditRing* const ring = this_ring();
    if (open == 0 || !ring || ring->used() == 0) [[likely]] return;
    ring_bell(ring->used() >= many ? abi::audit_signal::some | abi::audit_signal::many : abi::audit_signal::some);
}

[[gnu::always_inline]] inline void fill(abi::AuditRecord& place, const AuditEvent& event, std::size_t cpu, std::uint64_t time) {
    place.time = time;
    place.operation = event.operation;
    place.cpu = static_cast<std::uint16_t>(cpu);
    place.kind = static_cast<std::uint16_t>(event.kind);
    place.call = event.call;
    place.process = event.process;
    place.object = event.object;
    place.other = event.other;
    place.rights = event.rights;
    place.error = event.error;
    place.badge = event.word;
    place.lease = event.lease;
}

void fill_lost(abi::AuditRecord& record, std::size_t cpu, std::uint64_t time, std::uint64_t count) {
    record = {};
    record.time = time;
    record.operation = abi::AuditOperation::lost;
    record.cpu = static_cast<std::uint16_t>(cpu);
    record.count = count;
}

// What is missing before the next record of this CPU is told before it. False where there is no room for both.
[[gnu::cold, gnu::noinline]] bool put_lost(AuditRing& ring, std::size_t cpu, std::uint64_t time) {
    if (!ring.has_place(AuditRing::capacity - 1)) return false;
    // Whoever takes the records may have told it meanwhile.
    if (const std::uint64_t count = ring.take_lost(); count != 0) {
        fill_lost(ring.place(), cpu, time, count);
        ring.publish();
    }
    return true;
}

bool put(const AuditEvent& event) {
    const arch::Cpu& self = arch::this_cpu();
    AuditRing* const ring = rings[self.index];
    if (!ring) return true;
    const std::uint64_t now = arch::monotonic_nanoseconds();
    if (ring->has_lost() && !put_lost(*ring, self.index, now)) [[unlikely]] return false;
    if (!ring->has_place(AuditRing::capacity)) return false;
    fill(ring->place(), event, self.index, now);
    ring->publish();
    return true;
}

// Who ends does not wait: whoever is to take the records again may be waiting for that end.
bool is_held_back(const AuditAccount& account) { return has_taker.load(std::memory_order_relaxed) && !account.never_waits(); }
bool may_wait(const AuditAccount& account) { return is_held_back(account) && !caller_ends(); }

void put_or_lose(const AuditEvent& event) {
    if (!put(event)) [[unlikely]] this_ring()->lose();
}

// Rooms for two: a name and its object.
void put_text(AuditEvent& event, const std::uint8_t (&text)[32]) {
    std::memcpy(&event.other, text, 8);
    std::memcpy(&event.rights, text + 8, 4);
    std::memcpy(&event.error, text + 12, 4);
    std::memcpy(&event.word, text + 16, 8);
    std::memcpy(&event.lease, text + 24, 8);
}
static_assert(offsetof(abi::AuditRecord, other) == 32 && offsetof(abi::AuditRecord, rights) == 40 && offsetof(abi::AuditRecord, error) == 44 &&
              offsetof(abi::AuditRecord, badge) == 48 && offsetof(abi::AuditRecord, lease) == 56 && offsetof(abi::AuditRecord, text) == 32);

// The ring whose oldest record is the oldest of all, or null.
AuditRing* oldest_ring() {
    AuditRing* found = nullptr;
    std::uint64_t time = UINT64_MAX;
    for (AuditRing* const ring : rings) {
        const abi::AuditRecord* const record = ring ? ring->oldest() : nullptr;
        if (!record || (found && record->time >= time)) continue;
        found = ring;
        time = record->time;
    }
    return found;
}

// The oldest record of all, out of its ring; or what is missing behind the last one of a ring. False where there is nothing.
bool take_record(abi::AuditRecord& record) {
    for (std::size_t cpu = 0; cpu < arch::max_cpus; ++cpu) {
        AuditRing* const ring = rings[cpu];
        if (!ring || !ring->has_lost() || ring->oldest()) continue;
        const std::uint64_t count = ring->take_lost();
        if (count == 0) continue;
        fill_lost(record, cpu, taken_until[cpu], count);
        return true;
    }
    AuditRing* const ring = oldest_ring();
    if (!ring) return false;
    record = *ring->oldest();
    taken_until[record.cpu] = record.time;
    ring->drop_oldest();
    return true;
}

// The next batch takes the place of the last one. False where there is no record, and the last one is as it was.
bool seal() {
    abi::AuditRecord first;
    if (!take_record(first)) return false;
    std::memcpy(batch->previous, batch->digest, sizeof batch->previous);
    std::memset(batch->digest, 0, sizeof batch->digest);
    std::memset(batch->records, 0, sizeof batch->records);
    batch->sequence += 1;
    batch->sealed = arch::monotonic_nanoseconds();
    batch->records[0] = first;
    std::uint32_t count = 1;
    while (count < abi::audit_batch_records && take_record(batch->records[count])) ++count;
    batch->count = count;
    base::Sha256 hash;
    constexpr std::size_t part = 512;
    const std::span<const std::byte> bytes = std::as_bytes(std::span(batch, 1));
    for (std::size_t at = 0; at < bytes.size(); at += part) {
        hash.update(bytes.subspan(at, part));
        preemption_point();
    }
    const auto digest = hash.finish();
    std::memcpy(batch->digest, digest.data(), sizeof batch->digest);
    return true;
}

} // namespace

void Audit::initialize() {
    constexpr std::size_t pages = AuditRing::capacity * sizeof(abi::AuditRecord) / abi::page_size;
    const std::uint64_t last = frames::allocate_zeroed();
    if (last == 0) panic("no memory for the audit log");
    batch = direct<abi::AuditBatch>(last);
    batch->magic = abi::audit_batch_magic;
    batch->boot = base::processor_random().value;
    // No heap of anybody's pays for them.
    static constinit std::byte storage[arch::max_cpus][sizeof(AuditRing)] = {};
    for (std::size_t i = 0; i < arch::max_cpus; ++i) {
        if (!arch::cpu(i).online.load(std::memory_order_acquire)) continue;
        const std::uint64_t places = frames::allocate_run(pages);
        if (places == 0) panic("no memory for the audit log");
        rings[i] = new (storage[i]) AuditRing(direct<abi::AuditRecord>(places));
    }
    std::uint8_t drawn[32];
    for (std::size_t at = 0; at < sizeof drawn; at += 8) {
        const std::uint64_t value = base::processor_random().value;
        std::memcpy(drawn + at, &value, 8);
    }
    AuditEvent event{.operation = abi::AuditOperation::boot};
    put_text(event, drawn);
    (void)put(event);
}

base::Result<std::uint32_t> Audit::take_ahead(AuditAccount& account) {
    constexpr std::uint32_t some = 8; // one look at the clock for that many
    if (!is_held_back(account)) return 0;
    for (unsigned attempt = 0;; ++attempt) {
        {
            const std::uint64_t now = arch::monotonic_nanoseconds();
            LockGuard guard(account.lock_);
            if (const std::uint64_t taken = account.limit_.take_some(some, now)) return static_cast<std::uint32_t>(taken);
        }
        if (caller_ends()) return std::unexpected(abi::Error::canceled);
        tell();
        wait_for_turn(attempt);
    }
}

base::Result<void> Audit::take_for_later(AuditAccount& account, std::uint32_t records) {
    if (!is_held_back(account)) return {};
    for (unsigned attempt = 0;; ++attempt) {
        {
            const std::uint64_t now = arch::monotonic_nanoseconds();
            LockGuard guard(account.lock_);
            if (account.limit_.has(now)) {
                account.limit_.owe(records, now);
                return {};
            }
        }
        if (caller_ends()) return std::unexpected(abi::Error::canceled);
        tell();
        wait_for_turn(attempt);
    }
}

void Audit::give_back(AuditAccount& account, std::uint32_t records) {
    if (!is_held_back(account)) return;
    LockGuard guard(account.lock_);
    account.limit_.give_back(records);
}

namespace {

void wait_for_ring(std::uint32_t limit, std::uint32_t places) {
    for (unsigned attempt = 0; !caller_ends(); ++attempt) {
        const AuditRing* const ring = this_ring();
        if (!ring || ring->used() + places <= limit || base::weakened(base::Weakness::audit_wait)) return;
        ring_bell(abi::audit_signal::some | abi::audit_signal::many);
        wait_for_turn(attempt);
    }
}

} // namespace

void Audit::wait_for_room(const AuditAccount& account, std::uint32_t places) {
    if (may_wait(account)) wait_for_ring(caller_goes_first() ? server_limit : fair_limit, places);
}

bool Audit::has_room(const AuditAccount& account, std::uint32_t places) {
    if (!may_wait(account)) return true;
    const AuditRing* const ring = this_ring();
    if (!ring || ring->used() + places <= server_limit || base::weakened(base::Weakness::audit_wait)) [[likely]] return true;
    return false;
}

void Audit::charge(AuditAccount& account, std::uint32_t records) {
    if (!is_held_back(account)) return;
    const std::uint64_t now = arch::monotonic_nanoseconds();
    LockGuard guard(account.lock_);
    account.limit_.owe(records, now);
}

bool Audit::take(AuditAccount& account, std::uint64_t now) {
    LockGuard guard(account.lock_);
    return account.limit_.take(now);
}

[[gnu::cold, gnu::noinline]] void Audit::record_late(AuditAccount& account, const AuditEvent& event, bool takes) {
    if (takes) {
        if (!may_wait(account) || !take_for_later(account, 1)) charge(account, 1);
    }
    if (may_wait(account)) wait_for_ring(caller_goes_first() ? server_limit : fair_limit, 1);
    // Who waited finds room yet: nobody else wrote here since, for interrupts are off.
    put_or_lose(event);
    tell_taker();
}

// What is usual, in one piece and with one look at the clock: nothing is waited for.
[[gnu::always_inline]] inline void Audit::record_in_place(AuditAccount& account, const AuditEvent& event, AuditPayment payment) {
    const std::uint64_t now = arch::monotonic_nanoseconds();
    const bool first = payment == AuditPayment::none_due;
    if (payment == AuditPayment::due && !take(account, now)) [[unlikely]] return record_late(account, event, true);
    const arch::Cpu& self = arch::this_cpu();
    AuditRing* const ring = rings[self.index];
    if (!ring || ring->has_lost() || !ring->has_place(first ? server_limit : fair_limit)) [[unlikely]] return record_late(account, event, false);
    fill(ring->place(), event, self.index, now);
    ring->publish();
    tell_taker();
}

void Audit::record(AuditAccount& account, const AuditEvent& event, AuditPayment payment) { record_in_place(account, event, payment); }

void Audit::record(AuditAccount& account, AuditPayment payment, abi::AuditOperation operation, std::uint64_t process, const Object& object, abi::Rights rights, std::uint64_t other, std::uint64_t badge,
                   const LeaseHold& hold) {
    record_in_place(account, {.operation = operation,
                              .process = process,
                              .kind = object.kind(),
                              .object = object.number(),
                              .other = other,
                              .rights = rights,
                              .word = badge,
                              .lease = hold.lease ? hold.lease->number() : 0}, payment);
}

void Audit::note(AuditAccount& account, std::uint64_t process, const Object& object, const abi::AuditNote& note) {
    AuditEvent event{.operation = note.operation, .process = process, .kind = object.kind(), .object = object.number()};
    put_text(event, note.text);
    record(account, event, caller_goes_first() ? AuditPayment::none_due : AuditPayment::due);
}

void Audit::record_now(const AuditEvent& event) { put_or_lose(event); }

void Audit::tell() { tell_taker(); }

void Audit::record_denials(const AuditAccount& account, std::span<const Denials::Record> records) {
    for (const Denials::Record& one : records)
        record_now({.operation = abi::AuditOperation::denial, .process = one.process != 0 ? one.process : account.process(), .call = one.call, .error = one.error, .word = one.count});
}

void Audit::denied(AuditAccount& account, std::uint64_t process, std::uint64_t call, abi::Error error) {
    Denials::Record records[Denials::most_records];
    std::size_t made = 0;
    {
        LockGuard guard(account.lock_);
        const AuditRing* const ring = this_ring();
        if (!ring || ring->used() + Denials::most_records > denial_limit) account.denials_.put_off(process, static_cast<std::uint16_t>(call), static_cast<std::uint32_t>(error));
        else made = account.denials_.add(process, static_cast<std::uint16_t>(call), static_cast<std::uint32_t>(error), arch::monotonic_nanoseconds(), records);
    }
    record_denials(account, std::span(records).first(made));
    if (made != 0) tell();
}

void Audit::finish(AuditAccount& account) {
    Denials::Record records[Denials::most_records];
    std::size_t made = 0;
    {
        LockGuard guard(account.lock_);
        made = account.denials_.finish(records);
    }
    record_denials(account, std::span(records).first(made));
}

Audit::Turn::Turn() : mine_(batch && !at_work.exchange(true, std::memory_order_acquire)) {}

Audit::Turn::~Turn() {
    if (mine_) at_work.store(false, std::memory_order_release);
}

bool Audit::is_known(const Turn&, std::uint64_t kept) {
    return kept == abi::audit_kept_nothing || kept == batch->sequence || (batch->sequence != 0 && kept == batch->sequence - 1);
}

const abi::AuditBatch* Audit::next(const Turn&, std::uint64_t kept, base::Ref<Object> owner, SignalTarget& target, const LeaseHold& hold) {
    has_taker.store(true, std::memory_order_relaxed);
    if (kept == abi::audit_kept_nothing) kept = 0;
    if (kept != batch->sequence) return batch;
    if (seal()) return batch;
    Bell before{std::move(owner), &target, hold};
    {
        LockGuard guard(bell_lock);
        std::swap(bell, before);
    }
    to_tell.store(abi::audit_signal::some | abi::audit_signal::many, std::memory_order_seq_cst);
    // One that came before whoever wrote it could see that.
    if (!seal()) return nullptr;
    to_tell.store(0, std::memory_order_seq_cst);
    return batch;
}

} // namespace kernel
