// The audit log: what gets into it, that it is one chain, and that none of it is lost.
#include <array>
#include <cstring>
#include <span>

#include "abi/audit.hpp"
#include "abi/kernel_calls.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/turns.hpp"
#include "lib/base/sha256.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using abi::AuditOperation;
using native::Owned;

extern "C" const unsigned char make_leases[], make_leases_end[], answer_and_close[], answer_and_close_end[];

namespace {

// Whoever takes the records, for all tests of the program: batches follow each other.
struct Taker {
    Owned bell{call::notification_create(quota()).value_or(0)};
    abi::AuditBatch batch{};
    std::uint64_t kept = 0;

    static abi::Handle log() { return native::granted("log"); }
    base::Result<std::uint64_t> again() { return call::audit_read(log(), kept, batch, bell.get()); }

    // Takes all that there is; `see` gets each record.
    template <class See> void take(See&& see) {
        for (;;) {
            std::uint8_t last[32];
            std::memcpy(last, batch.digest, sizeof last);
            const auto sequence = again();
            REQUIRE(sequence);
            if (*sequence == 0) return;
            CHECK(*sequence == kept + 1 && batch.sequence == *sequence && batch.magic == abi::audit_batch_magic);
            CHECK(batch.count >= 1 && batch.count <= abi::audit_batch_records);
            CHECK(std::memcmp(batch.previous, last, sizeof last) == 0);
            abi::AuditBatch copy = batch;
            std::memset(copy.digest, 0, sizeof copy.digest);
            const auto digest = base::Sha256::of(std::as_bytes(std::span(&copy, 1)));
            CHECK(std::memcmp(digest.data(), batch.digest, sizeof batch.digest) == 0);
            kept = *sequence;
            for (std::uint32_t i = 0; i < batch.count && i < abi::audit_batch_records; ++i) see(batch.records[i]);
        }
    }
    void pass_over() {
        take([](const abi::AuditRecord&) {});
    }
    template <class Is> std::uint64_t count(Is&& is) {
        std::uint64_t found = 0;
        take([&](const abi::AuditRecord& record) { found += is(record); });
        return found;
    }
};

// One for the whole program: the first batch has nothing before it, and what was taken is not there again.
Taker& taker() {
    static Taker* const one = new Taker;
    return *one;
}

constexpr unsigned char number_of(abi::KernelCall call) { return static_cast<unsigned char>(call); }
// Revokes the lease in the argument so often, and ends.
constexpr auto revoke_often(std::uint16_t times) {
    return std::to_array<unsigned char>({
        0x48, 0x89, 0xfd,                                                                             // mov %rdi,%rbp
        0xbb, static_cast<unsigned char>(times & 0xff), static_cast<unsigned char>(times >> 8), 0, 0, // mov $times,%ebx
        0x48, 0x89, 0xef,                                                                             // mov %rbp,%rdi
        0xb8, number_of(abi::KernelCall::lease_revoke), 0, 0, 0, 0x0f, 0x05,                          // mov $number,%eax; syscall
        0xff, 0xcb, 0x75, 0xf2,                                                                       // dec %ebx; jnz to the third line
        0xb8, number_of(abi::KernelCall::thread_exit), 0, 0, 0, 0x0f, 0x05});                         // mov $number,%eax; syscall
}
// 1,000 times a handle that there is not, and out.
constexpr unsigned char ask_for_nothing[] = {
    0xbb, 1000 & 0xff, 1000 >> 8, 0, 0,                                   // mov $1000,%ebx
    0xbf, 0xff, 0xff, 0, 0,                                               // mov $65535,%edi
    0xb8, number_of(abi::KernelCall::lease_revoke), 0, 0, 0, 0x0f, 0x05,  // mov $number,%eax; syscall
    0xff, 0xcb, 0x75, 0xf0,                                               // dec %ebx; jnz to the second line
    0xb8, number_of(abi::KernelCall::thread_exit), 0, 0, 0, 0x0f, 0x05};  // mov $number,%eax; syscall

// Made by a thread above the fair band, as servers make sandboxes: it has an account of its own.
base::Result<Child> sandbox(std::span<const unsigned char> code, abi::Handle its_budget = budget()) {
    static base::Result<Child> made = std::unexpected(abi::Error::bad_state);
    static std::span<const unsigned char> its_code;
    static abi::Handle budget_of_it;
    its_code = code;
    budget_of_it = its_budget;
    const Owned above(call::budget_create(quota(), budget(), {1024, 2, 0, 0, 0}).value_or(0));
    auto thread = TRY(native::Thread::create([](void*) { made = Child::create(quota(), its_code, budget_of_it); }, nullptr, {.budget = above.get()}));
    thread->join();
    return made;
}

} // namespace

KERNEL_USER_TEST(audit_begins_with_the_boot) {
    Taker& t = taker();
    std::uint64_t boots = 0, first = 0;
    const bool whole = t.kept == 0;
    t.take([&](const abi::AuditRecord& record) {
        boots += record.operation == AuditOperation::boot;
        first += record.operation == AuditOperation::boot && t.batch.sequence == 1 && &record == &t.batch.records[0];
    });
    // In a run of this test alone.
    if (whole) CHECK(boots == 1 && first == 1);
}

KERNEL_USER_TEST(audit_tells_what_was_granted) {
    Taker& t = taker();
    t.pass_over();
    const Owned lease(call::lease_create(quota(), 0).value_or(0)), bell(call::notification_create(quota()).value_or(0));
    const Owned plain(call::handle_duplicate(bell.get(), right::send, 0, 0).value_or(0));
    const Owned badged(call::handle_duplicate(bell.get(), right::send | right::transfer, 7, lease.get()).value_or(0));
    REQUIRE(plain && badged);
    auto child = Child::create(quota(), ask_for_nothing);
    REQUIRE(child);
    CHECK(call::process_grant(child->process, badged.get(), right::send, 0));
    CHECK(call::lease_revoke(lease.get()));
    CHECK(call::process_kill(child->process, 5));
    CHECK(child->wait());
    // What has ended is not killed.
    CHECK(call::process_kill(child->process, 6));
    std::uint64_t created = 0, minted = 0, granted = 0, revoked = 0, killed = 0, ended = 0, code = 0, used = 0, others = 0, lease_number = 0, process_number = 0, last = 0;
    t.take([&](const abi::AuditRecord& record) {
        const bool is_lease = record.kind == static_cast<std::uint16_t>(abi::ObjectKind::lease), is_process = record.kind == static_cast<std::uint16_t>(abi::ObjectKind::process);
        CHECK(record.time >= last || figures().cpu_count > 1);
        last = record.time;
        switch (record.operation) {
        case AuditOperation::create:
            if (is_lease) lease_number = record.object;
            if (is_process) process_number = record.object;
            created += is_lease + is_process;
            break;
        case AuditOperation::mint: minted += record.badge == 7 && record.lease == lease_number && record.rights == (right::send | right::transfer); break;
        case AuditOperation::grant: granted += record.badge == 7 && record.lease == lease_number && record.rights == right::send && record.other == process_number; break;
        case AuditOperation::revoke: revoked += record.object == lease_number; break;
        case AuditOperation::kill: killed += record.object == process_number; break;
        // Others may end beside this.
        case AuditOperation::end: ended += record.object == process_number && record.error == static_cast<std::uint32_t>(abi::EndReason::kill) && record.place == 5; break;
        case AuditOperation::execute: code += record.place == Child::code_at; break;
        // The child is a sandbox of its own: this thread is above the fair band.
        case AuditOperation::use: used += record.other == process_number && record.process != process_number; break;
        default: ++others; break;
        }
    });
    CHECK(created == 2 && minted == 1 && granted == 1 && revoked == 1 && killed == 1 && ended == 1 && code == 1 && others == 0);
    // Its space, two mappings, its thread, a watch.
    CHECK(used == 5);
    child->close();
}

// A process that came to nothing leaves no record: who makes them without end fills nothing.
KERNEL_USER_TEST(audit_tells_no_end_of_what_never_was) {
    Taker& t = taker();
    t.pass_over();
    const Owned poor(call::quota_create(quota(), 8).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
    REQUIRE(poor && lease);
    std::array<abi::Handle, 20> made{};
    std::uint64_t failed = 0;
    for (abi::Handle& one : made) {
        one = call::process_create(poor.get(), budget()).value_or(0);
        failed += one == 0;
    }
    CHECK(failed > 0 && failed < made.size());
    for (const abi::Handle one : made)
        if (one != 0) CHECK(call::handle_close(one));
    std::uint64_t created = 0, ended = 0, lease_number = UINT64_MAX;
    t.take([&](const abi::AuditRecord& record) {
        if (record.operation == AuditOperation::create && record.kind == static_cast<std::uint16_t>(abi::ObjectKind::lease)) lease_number = record.object;
        // Those of other tests have lower numbers.
        if (record.kind != static_cast<std::uint16_t>(abi::ObjectKind::process) || record.object < lease_number) return;
        created += record.operation == AuditOperation::create;
        ended += record.operation == AuditOperation::end;
    });
    CHECK(created + failed == made.size() && ended == created);
}

// A message's capability, whichever side comes first; and none of one that died under way.
KERNEL_USER_TEST(audit_tells_what_messages_carry) {
    constexpr unsigned calls = 20;
    Taker& t = taker();
    const Owned endpoint(call::endpoint_create(quota()).value_or(0)), sent(call::notification_create(quota()).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
    const Owned dead(call::handle_duplicate(sent.get(), right::send | right::transfer, 0, lease.get()).value_or(0));
    auto child = sandbox({answer_and_close, static_cast<std::size_t>(answer_and_close_end - answer_and_close)});
    REQUIRE(child && dead);
    const auto granted = call::process_grant(child->process, endpoint.get(), right::receive, 0);
    REQUIRE(granted);
    t.pass_over();
    CHECK(child->run(*granted));
    for (unsigned i = 0; i < calls; ++i) {
        native::Message message{};
        message.tag = abi::make_tag(1, 0, 1);
        message.handles[0] = sent.get();
        CHECK(native::send_call(endpoint.get(), message));
    }
    CHECK(call::lease_revoke(lease.get()));
    native::Message message{};
    message.tag = abi::make_tag(1, 0, 1);
    message.handles[0] = dead.get();
    CHECK_ERROR(native::send_call(endpoint.get(), message), revoked);
    std::uint64_t transfers = 0, others = 0;
    t.take([&](const abi::AuditRecord& record) {
        const bool is_it = record.other != 0 && record.other != record.process && record.kind == static_cast<std::uint16_t>(abi::ObjectKind::notification) && record.lease == 0;
        transfers += record.operation == AuditOperation::transfer && is_it;
        others += record.operation == AuditOperation::transfer && !is_it;
        others += record.operation == AuditOperation::take_back || record.operation == AuditOperation::lost;
    });
    CHECK(transfers == calls && others == 0);
    CHECK(call::process_kill(child->process, 0));
    CHECK(child->wait());
    child->close();
}

// The second capability of a message dies while it waits for its server: what was recorded of the first one is taken back, as it is out of the server's table.
KERNEL_USER_TEST(audit_tells_what_was_taken_back) {
    static abi::Handle endpoint_of_it, both[2];
    Taker& t = taker();
    const Owned endpoint(call::endpoint_create(quota()).value_or(0)), sent(call::notification_create(quota()).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
    const Owned dies(call::handle_duplicate(sent.get(), right::send | right::transfer, 0, lease.get()).value_or(0)), its_budget = of_priority(1);
    auto child = sandbox({answer_and_close, static_cast<std::size_t>(answer_and_close_end - answer_and_close)});
    REQUIRE(child && dies && its_budget);
    const auto granted = call::process_grant(child->process, endpoint.get(), right::receive, 0);
    REQUIRE(granted);
    t.pass_over();
    endpoint_of_it = endpoint.get();
    both[0] = sent.get();
    both[1] = dies.get();
    auto* const caller = start([](void*) {
        native::Message message{};
        message.tag = abi::make_tag(1, 0, 2);
        message.handles[0] = both[0];
        message.handles[1] = both[1];
        CHECK_ERROR(native::send_call(endpoint_of_it, message), revoked);
    }, its_budget);
    REQUIRE(caller);
    until_others_wait(0);
    CHECK(call::lease_revoke(lease.get()));
    CHECK(child->run(*granted));
    caller->join();
    std::uint64_t transfers = 0, taken_back = 0, order = 0;
    t.take([&](const abi::AuditRecord& record) {
        if (record.other == 0 || record.other == record.process) return;
        if (record.operation == AuditOperation::transfer) ++transfers;
        if (record.operation != AuditOperation::take_back) return;
        ++taken_back;
        order += transfers;
    });
    CHECK(transfers == 1 && taken_back == 1 && order == 1);
    CHECK(call::process_kill(child->process, 0));
    CHECK(child->wait());
    child->close();
}

// Objects say under which lease they are reached, and a lease which one it is below.
KERNEL_USER_TEST(audit_tells_what_a_lease_hangs_on) {
    Taker& t = taker();
    t.pass_over();
    const Owned top(call::lease_create(quota(), 0).value_or(0)), below(call::lease_create(quota(), top.get()).value_or(0));
    REQUIRE(top && below);
    std::array<abi::AuditRecord, 2> made{};
    std::size_t count = 0;
    t.take([&](const abi::AuditRecord& record) {
        if (record.operation == AuditOperation::create && count < made.size()) made[count++] = record;
    });
    CHECK(count == 2 && made[0].lease == 0 && made[1].lease == made[0].object);
}

// Who has kept nothing gets the newest batch, whatever was given before, and goes on from it.
KERNEL_USER_TEST(audit_goes_on_without_what_was_kept) {
    Taker& t = taker();
    t.pass_over();
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    REQUIRE(t.again().value_or(0) == t.kept + 1);
    const abi::AuditBatch newest = t.batch;
    CHECK(call::lease_revoke(lease.get()));
    for (unsigned i = 0; i < 2; ++i) {
        t.batch = {};
        CHECK(call::audit_read(t.log(), abi::audit_kept_nothing, t.batch, t.bell.get()).value_or(0) == newest.sequence);
        CHECK(std::memcmp(&newest, &t.batch, sizeof newest) == 0);
    }
    t.kept = newest.sequence;
    CHECK(t.count([](const abi::AuditRecord& record) { return record.operation == AuditOperation::revoke; }) == 1);
    // Also where all was taken.
    CHECK(call::audit_read(t.log(), abi::audit_kept_nothing, t.batch, t.bell.get()).value_or(0) == t.kept);
}

KERNEL_USER_TEST(audit_batches_are_given_again) {
    Taker& t = taker();
    t.pass_over();
    CHECK_ERROR(call::audit_read(t.log(), t.kept + 1, t.batch, t.bell.get()), bad_argument);
    if (t.kept > 1) CHECK_ERROR(call::audit_read(t.log(), t.kept - 2, t.batch, t.bell.get()), bad_argument);
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    const auto first = t.again();
    REQUIRE(first && *first == t.kept + 1);
    const abi::AuditBatch before = t.batch;
    CHECK(call::lease_revoke(lease.get()));
    // It is not sealed anew: what came meanwhile is in the next one.
    t.batch = {};
    CHECK(t.again().value_or(0) == *first && std::memcmp(&before, &t.batch, sizeof before) == 0);
    CHECK_ERROR(call::audit_read(t.log(), t.kept, *reinterpret_cast<abi::AuditBatch*>(0x1000), t.bell.get()), bad_pointer);
    CHECK(t.again().value_or(0) == *first && std::memcmp(&before, &t.batch, sizeof before) == 0);
    t.kept = *first;
    CHECK(t.count([](const abi::AuditRecord& record) { return record.operation == AuditOperation::revoke; }) == 1);
}

KERNEL_USER_TEST(audit_rings_when_there_is_something) {
    Taker& t = taker();
    t.pass_over();
    (void)call::notification_wait(t.bell.get(), abi::poll);
    CHECK(t.again().value_or(1) == 0);
    CHECK_ERROR(call::notification_wait(t.bell.get(), abi::poll), would_block);
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    CHECK(call::notification_wait(t.bell.get(), abi::never).value_or(0) == abi::audit_signal::some);
    // Once, until all was taken.
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::notification_wait(t.bell.get(), abi::poll), would_block);
    t.pass_over();
}

KERNEL_USER_TEST(audit_notes_say_what_an_object_is) {
    Taker& t = taker();
    t.pass_over();
    abi::AuditNote note{};
    note.operation = AuditOperation::name;
    std::memcpy(note.text, "a program", 9);
    CHECK(call::audit_note(t.log(), native::self().process, note));
    note.operation = AuditOperation::grant;
    CHECK_ERROR(call::audit_note(t.log(), native::self().process, note), bad_argument);
    note.operation = AuditOperation::launch;
    note.reserved[1] = 1;
    CHECK_ERROR(call::audit_note(t.log(), native::self().process, note), bad_argument);
    note.reserved[1] = 0;
    CHECK(call::audit_note(t.log(), native::self().process, note));
    std::uint64_t names = 0, launches = 0;
    t.take([&](const abi::AuditRecord& record) {
        const bool same = std::memcmp(record.text, note.text, sizeof note.text) == 0 && record.kind == static_cast<std::uint16_t>(abi::ObjectKind::process) && record.object == record.process;
        names += same && record.operation == AuditOperation::name;
        launches += same && record.operation == AuditOperation::launch;
    });
    CHECK(names == 1 && launches == 1);
}

// A thousand refusals are a few records, and the sum of these is right.
KERNEL_USER_TEST(audit_tells_refusals_together) {
    Taker& t = taker();
    t.pass_over();
    auto child = sandbox(ask_for_nothing);
    REQUIRE(child);
    CHECK(child->run(0));
    CHECK(child->wait());
    child->close();
    std::uint64_t records = 0, refusals = 0;
    // What was not told yet is told when the last reference to the process goes, which may be on another processor.
    for (int look = 0; look < 1000 && refusals < 1000; ++look) {
        t.take([&](const abi::AuditRecord& record) {
            if (record.operation != AuditOperation::denial || record.call != number_of(abi::KernelCall::lease_revoke)) return;
            CHECK(record.error == static_cast<std::uint32_t>(abi::Error::bad_handle));
            ++records;
            refusals += record.count;
        });
        (void)call::notification_wait(t.bell.get(), native::after_milliseconds(10));
    }
    CHECK(refusals == 1000);
    CHECK(records >= 1 && records <= 40);
}

// Who makes more of them than there is room for waits until they are taken, then goes on, and nothing is lost.
KERNEL_USER_TEST(who_fills_the_audit_log_waits) {
    constexpr std::uint64_t leases = 1000;
    Taker& t = taker();
    // Above the fair band: of these no account but the ring alone is in the way.
    const Owned its_budget(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 0}).value_or(0));
    auto child = sandbox({make_leases, static_cast<std::size_t>(make_leases_end - make_leases)}, its_budget.get());
    REQUIRE(child);
    const auto granted = call::process_grant(child->process, quota(), right::charge, 0);
    REQUIRE(granted);
    t.pass_over();
    (void)call::notification_wait(t.bell.get(), abi::poll);
    CHECK(t.again().value_or(1) == 0);
    CHECK(child->run(*granted));
    // It is told when room is short. There is none for all of them, so it cannot have ended.
    std::uint64_t bits = 0;
    while (!(bits & abi::audit_signal::many)) bits |= call::notification_wait(t.bell.get(), abi::never).value_or(abi::audit_signal::many);
    CHECK_ERROR(call::notification_wait(child->watch, abi::poll), would_block);
    std::uint64_t made = 0, lost = 0;
    for (bool ended = false, last = false; !last;) {
        last = ended;
        t.take([&](const abi::AuditRecord& record) {
            made += record.operation == AuditOperation::create && record.kind == static_cast<std::uint16_t>(abi::ObjectKind::lease);
            if (record.operation == AuditOperation::lost) lost += record.count;
        });
        ended = ended || call::notification_wait(child->watch, native::after_milliseconds(10));
    }
    CHECK(made == leases && lost == 0);
    child->close();
}

// Whoever takes the records may be waiting for the end of one that waits for room: a kill ends it there, and its end is recorded.
KERNEL_USER_TEST(who_is_killed_does_not_wait_for_the_audit_log) {
    Taker& t = taker();
    const Owned its_budget = of_priority(1);
    auto child = sandbox({make_leases, static_cast<std::size_t>(make_leases_end - make_leases)}, its_budget.get());
    REQUIRE(child);
    const auto granted = call::process_grant(child->process, quota(), right::charge, 0);
    REQUIRE(granted);
    t.pass_over();
    (void)call::notification_wait(t.bell.get(), abi::poll);
    CHECK(t.again().value_or(1) == 0);
    CHECK(child->run(*granted));
    // It goes on until it waits, and there is not room for all that it makes.
    until_others_wait(0);
    CHECK(call::notification_wait(t.bell.get(), abi::poll).value_or(0) & abi::audit_signal::many);
    CHECK_ERROR(call::notification_wait(child->watch, abi::poll), would_block);
    CHECK(call::process_kill(child->process, 7));
    CHECK(child->wait());
    std::uint64_t kills = 0, ends = 0, lost = 0;
    t.take([&](const abi::AuditRecord& record) {
        kills += record.operation == AuditOperation::kill;
        ends += record.operation == AuditOperation::end;
        lost += record.operation == AuditOperation::lost;
    });
    CHECK(kills == 1 && ends == 1 && lost == 0);
    child->close();
}

// A sandbox makes so many records at once, and so many a second from then on: by the records' own times.
KERNEL_USER_TEST(audit_has_a_budget_for_each_sandbox) {
    constexpr std::uint16_t times = 272;
    constexpr std::uint64_t burst = 256, interval = 1'000'000'000 / 16;
    Taker& t = taker();
    t.pass_over();
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    constexpr auto code = revoke_often(times);
    const Owned fair(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 0}).value_or(0));
    auto child = sandbox(code, fair.get());
    REQUIRE(child);
    const auto granted = call::process_grant(child->process, lease.get(), right::control, 0);
    REQUIRE(granted);
    CHECK(child->run(*granted));
    std::uint64_t revocations = 0, first = 0, last = 0, lost = 0;
    for (bool ended = false, over = false; !over;) {
        over = ended;
        t.take([&](const abi::AuditRecord& record) {
            lost += record.operation == AuditOperation::lost;
            if (record.operation != AuditOperation::revoke) return;
            if (revocations++ == 0) first = record.time;
            last = record.time;
        });
        ended = ended || call::notification_wait(child->watch, native::after_milliseconds(10));
    }
    CHECK(revocations == times && lost == 0);
    CHECK(last - first >= (times - burst - 1) * interval);
    child->close();
}

// What is recorded is paid for before it is done: threads that end in the middle of it leave no record beyond what their sandbox may make.
KERNEL_USER_TEST(who_ends_makes_no_record_beyond_its_budget) {
    constexpr std::size_t count = 96;
    constexpr std::uint64_t burst = 256, interval = 1'000'000'000 / 16;
    Taker& t = taker();
    t.pass_over();
    const Owned lease(call::lease_create(quota(), 0).value_or(0));
    constexpr auto code = revoke_often(60'000);
    const Owned fair(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 0}).value_or(0));
    auto child = sandbox(code, fair.get());
    REQUIRE(child);
    const auto granted = call::process_grant(child->process, lease.get(), right::control, 0);
    REQUIRE(granted);
    for (std::size_t i = 0; i < count; ++i) {
        const Owned thread(call::thread_create(child->process, fair.get()).value_or(0));
        CHECK(thread && call::thread_start(thread.get(), Child::code_at, Child::code_at, *granted));
    }
    std::uint64_t revocations = 0, first = 0, last = 0;
    const auto take = [&] {
        t.take([&](const abi::AuditRecord& record) {
            if (record.operation != AuditOperation::revoke) return;
            if (revocations++ == 0) first = record.time;
            last = record.time;
        });
    };
    // All of them wait once it has had what it may have at once.
    while (revocations < burst) {
        (void)call::notification_wait(t.bell.get(), native::after_milliseconds(10));
        take();
    }
    CHECK(call::process_kill(child->process, 0));
    CHECK(child->wait());
    take();
    CHECK(revocations <= burst + (last - first) / interval + 1);
    child->close();
}

// Servers are not held back but by the room that there is: four of them make 10,000 records while these are taken, and none is lost or out of its processor's order.
KERNEL_USER_TEST(audit_keeps_ten_thousand_under_load) {
    constexpr std::uint16_t times = 2'500;
    constexpr std::size_t makers = 4;
    Taker& t = taker();
    t.pass_over();
    const Owned lease(call::lease_create(quota(), 0).value_or(0)), its_budget(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 0}).value_or(0));
    constexpr auto code = revoke_often(times);
    std::array<Child, makers> children{};
    for (Child& child : children) {
        auto made = sandbox(code, its_budget.get());
        REQUIRE(made);
        child = *made;
        const auto granted = call::process_grant(child.process, lease.get(), right::control, 0);
        REQUIRE(granted && child.run(*granted));
    }
    std::uint64_t revocations = 0, lost = 0, disorder = 0, last[64] = {};
    for (int turn = 0; turn < 100'000 && revocations < makers * times; ++turn) {
        t.take([&](const abi::AuditRecord& record) {
            revocations += record.operation == AuditOperation::revoke;
            lost += record.operation == AuditOperation::lost;
            disorder += record.time < last[record.cpu % 64];
            last[record.cpu % 64] = record.time;
        });
        (void)call::notification_wait(t.bell.get(), native::after_milliseconds(10));
    }
    CHECK(revocations == makers * times && lost == 0 && disorder == 0);
    for (Child& child : children) {
        CHECK(child.wait());
        child.close();
    }
}
