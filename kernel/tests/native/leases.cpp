// Trees of leases, and what a revocation does not reach.
#include <algorithm>
#include <array>
#include <atomic>

#include "kernel/tests/native/spinners.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using native::Owned;

namespace {

Owned lease_below(abi::Handle parent) { return Owned(call::lease_create(quota(), parent).value_or(0)); }

// A notification, and a copy of it under `lease`.
struct Leased {
    Owned plain{call::notification_create(quota()).value_or(0)};
    Owned copy;
    explicit Leased(const Owned& lease) : copy(native::duplicate(plain.get(), 0, 0, lease.get()).value_or(0)) {}
    bool lives() const { return call::notification_signal(copy.get(), 1).has_value(); }
};

} // namespace

KERNEL_USER_TEST(revocation_reaches_grandchildren) {
    const Owned top = lease_below(0), middle = lease_below(top.get()), low = lease_below(middle.get());
    const Leased leased(low);
    CHECK(leased.lives());
    CHECK(call::lease_revoke(top.get()));
    CHECK(!leased.lives());
}

KERNEL_USER_TEST(revocation_spares_siblings) {
    const Owned top = lease_below(0), left = lease_below(top.get()), right_one = lease_below(top.get());
    const Leased leased(right_one);
    CHECK(call::lease_revoke(left.get()));
    CHECK(leased.lives());
}

KERNEL_USER_TEST(revocation_spares_parents) {
    const Owned top = lease_below(0), low = lease_below(top.get());
    const Leased leased(top);
    CHECK(call::lease_revoke(low.get()));
    CHECK(leased.lives());
}

KERNEL_USER_TEST(a_lease_can_be_revoked_twice) {
    const Owned lease = lease_below(0);
    CHECK(call::lease_revoke(lease.get()));
    CHECK(call::lease_revoke(lease.get()));
}

KERNEL_USER_TEST(nothing_grows_below_a_revoked_lease) {
    const Owned lease = lease_below(0);
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::lease_create(quota(), lease.get()), revoked);
}

KERNEL_USER_TEST(a_parent_that_lost_its_handle_still_holds_its_children) {
    const Owned top = lease_below(0);
    Owned middle = lease_below(top.get());
    const Owned low = lease_below(middle.get());
    const Leased leased(low);
    middle.reset();
    CHECK(call::lease_revoke(top.get()));
    CHECK(!leased.lives());
}

KERNEL_USER_TEST(a_lease_without_a_handle_keeps_what_is_under_it) {
    Owned lease = lease_below(0);
    const Leased leased(lease);
    lease.reset();
    CHECK(leased.lives());
}

KERNEL_USER_TEST(a_child_lease_takes_the_right_to_control) {
    const Owned lease = lease_below(0);
    const Owned weak(native::duplicate(lease.get(), right::inspect | right::duplicate).value_or(0));
    REQUIRE(weak);
    CHECK_ERROR(call::lease_create(quota(), weak.get()), missing_right);
    CHECK_ERROR(call::lease_revoke(weak.get()), missing_right);
}

KERNEL_USER_TEST(a_revoked_slot_can_be_closed) {
    const Owned lease = lease_below(0);
    Leased leased(lease);
    CHECK(call::lease_revoke(lease.get()));
    CHECK(call::handle_close(leased.copy.release()));
}

KERNEL_USER_TEST(a_revoked_slot_is_not_granted) {
    const Owned lease = lease_below(0), process(call::process_create(quota(), budget()).value_or(0));
    const Leased leased(lease);
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::process_grant(process.get(), leased.copy.get(), 0, 0), revoked);
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(process.get(), info) && info.handles == 0);
}

KERNEL_USER_TEST(what_is_made_from_a_leased_quota_lies_under_the_lease) {
    const Owned lease = lease_below(0);
    const Owned leased(native::duplicate(quota(), 0, 0, lease.get()).value_or(0));
    const Owned child(call::quota_create(leased.get(), 16).value_or(0));
    REQUIRE(child);
    CHECK(call::lease_revoke(lease.get()));
    CHECK_ERROR(call::notification_create(child.get()), revoked);
}

// What is written comes from a page that another call has in work for long, so the writer sleeps over the revocation.
KERNEL_USER_TEST(a_copy_that_slept_changes_nothing_after_the_revocation) {
    static constexpr std::uint64_t bytes = 64ull << 20, looked_at = 64;
    constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;
    static std::uint64_t at;
    static abi::Handle leased;
    static std::atomic<bool> begun, written;
    at = native::reserve_range(bytes).value_or(0);
    const Owned memory(call::memory_create(quota(), abi::page_size, 0).value_or(0));
    REQUIRE(at && memory);
    const auto content = [&] {
        std::array<std::byte, looked_at> found{};
        CHECK(call::memory_read(memory.get(), 0, found));
        return found;
    };
    unsigned slept = 0;
    for (unsigned round = 0; round < 20 && slept == 0; ++round) {
        const Owned lease = lease_below(0), low(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 1}).value_or(0));
        const Owned copy(native::duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
        REQUIRE(low && copy);
        leased = copy.get();
        begun = written = false;
        const std::array<std::byte, looked_at> before{std::byte{'x'}};
        CHECK(call::memory_write(memory.get(), 0, before));
        CHECK(call::space_map(space(), 0, at + bytes - abi::page_size, 0, abi::page_size, read_write));
        // The worker holds the range while it fills it; the writer comes when it has begun.
        auto* const worker = native::Thread::create([](void*) { CHECK(call::space_map(space(), 0, at, 0, bytes, read_write | abi::map_flag::replace | abi::map_flag::populate)); }, nullptr,
                                                    {.budget = low.get()}).value_or(nullptr);
        REQUIRE(worker);
        if (round != 0) kernel_test::sleep(round);
        auto* const writer = native::Thread::create([](void*) {
            begun = true;
            (void)call::memory_write(leased, 0, {reinterpret_cast<const std::byte*>(at + bytes - abi::page_size), looked_at});
            written = true;
        }, nullptr).value_or(nullptr);
        REQUIRE(writer);
        while (!begun) kernel_test::sleep(1);
        kernel_test::sleep(1);
        CHECK(call::lease_revoke(lease.get()));
        const bool sleeps = !written;
        const auto after = content();
        writer->join();
        worker->join();
        CHECK(content() == after);
        slept += sleeps;
        CHECK(call::space_unmap(space(), at, bytes));
    }
    CHECK(slept != 0);
    native::release_range(at, bytes);
}

// It was woken before the revocation and gets a turn only after it: what was signalled then is somebody else's.
KERNEL_USER_TEST(who_was_woken_before_a_revocation_takes_nothing_after_it) {
    static Owned bell, lease;
    static abi::Handle leased, low;
    static std::atomic<std::int32_t> outcome;
    bell = Owned(call::notification_create(quota()).value_or(0));
    lease = lease_below(0);
    const Owned copy(native::duplicate(bell.get(), 0, 0, lease.get()).value_or(0));
    const Owned above(call::budget_create(quota(), budget(), {1024, 2, 0, 0, 1}).value_or(0)), below(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 1}).value_or(0));
    REQUIRE(bell && lease && copy && above && below);
    leased = copy.get();
    low = below.get();
    auto* const owner = native::Thread::create([](void*) {
        static std::atomic<bool> begun;
        begun = false;
        outcome = 0;
        auto* const borrower = native::Thread::create([](void*) {
            begun = true;
            outcome = error_of(call::notification_wait(leased, abi::never));
        }, nullptr, {.budget = low}).value_or(nullptr);
        REQUIRE(borrower);
        while (!begun) kernel_test::sleep(1);
        kernel_test::sleep(2);
        // From here on the borrower has no turn until it is waited for.
        CHECK(call::notification_signal(bell.get(), 1));
        CHECK(call::lease_revoke(lease.get()));
        CHECK(call::notification_signal(bell.get(), 2));
        borrower->join();
        CHECK(outcome == static_cast<std::int32_t>(abi::Error::revoked));
        CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) == 3);
    }, nullptr, {.budget = above.get()}).value_or(nullptr);
    REQUIRE(owner);
    owner->join();
    bell = {};
    lease = {};
}
