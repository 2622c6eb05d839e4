// Trees of leases, and what a revocation does not reach.
#include <array>
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "kernel/tests/native/turns.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/ipc.hpp"
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

constexpr std::uint64_t filled = 64ull << 20, looked_at = 64;
constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;
std::uint64_t at;
abi::Handle leased;
std::atomic<bool> done;

// A thread that has all of `at` in work, and will have for as long as none below the caller's priority gets a turn.
native::Thread* hold_in_work(const Owned& its_budget) {
    constexpr std::uint64_t some_pages = 256;
    for (;;) {
        const std::uint64_t before = figures().used_pages;
        done = false;
        auto* const worker = start([](void*) {
            CHECK(call::space_map(space(), 0, at, 0, filled, read_write | abi::map_flag::replace | abi::map_flag::populate));
            done = true;
        }, its_budget);
        if (!worker) return nullptr;
        while (!done && figures().used_pages <= before + some_pages) nap(1);
        if (!done) return worker;
        // The timer came after all of it: on a host that is that late it is tried again.
        worker->join();
        CHECK(call::space_unmap(space(), at, filled));
    }
}

// Callers whose message dies while they wait, its capability being revoked.
struct Dead {
    static constexpr int count = 4;
    static inline abi::Handle endpoint, carried;
    static inline std::atomic<int> told;
    native::Thread* threads[count] = {};

    static void call_once(void*) {
        native::Message message{};
        message.tag = abi::make_tag(0, 0, 1);
        message.handles[0] = carried;
        CHECK_ERROR(native::send_call(endpoint, message), revoked);
        ++told;
    }
    // Gives how many know it by now, all others having had their turns.
    static int told_by_now() {
        until_others_wait(0);
        return told;
    }
};

} // namespace

KERNEL_USER_TEST(messages_that_died_keep_no_receiver_past_its_deadline) {
    const Owned endpoint(call::endpoint_create(quota()).value_or(0)), plain(call::notification_create(quota()).value_or(0)), lease = lease_below(0);
    const Owned carried(native::duplicate(plain.get(), 0, 0, lease.get()).value_or(0)), its_budget = of_priority(1);
    REQUIRE(endpoint && carried && its_budget);
    Dead::endpoint = endpoint.get();
    Dead::carried = carried.get();
    Dead::told = 0;
    Dead dead;
    for (auto*& thread : dead.threads) {
        thread = start(Dead::call_once, its_budget);
        REQUIRE(thread);
    }
    CHECK(Dead::told_by_now() == 0 && call::lease_revoke(lease.get()));
    native::Message message{};
    CHECK_ERROR(native::receive(endpoint.get(), message, abi::poll), timed_out);
    CHECK(Dead::told_by_now() == 1);
    done = false;
    auto* const kicked = start([](void*) {
        while (!done) (void)call::thread_yield();
        native::Message its_message{};
        CHECK_ERROR(native::receive(Dead::endpoint, its_message), canceled);
    }, its_budget);
    REQUIRE(kicked);
    CHECK(call::thread_kick(kicked->handle()));
    done = true;
    kicked->join();
    CHECK(Dead::told_by_now() == 2);
    CHECK_ERROR(native::receive(endpoint.get(), message, native::after_milliseconds(0)), timed_out);
    CHECK(Dead::told_by_now() == 3);
    CHECK_ERROR(native::receive(endpoint.get(), message, abi::poll), timed_out);
    for (auto* thread : dead.threads) thread->join();
}

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
    run_at(4, [](void*) {
        constexpr std::uint64_t last = filled - abi::page_size;
        at = native::reserve_range(filled).value_or(0);
        const Owned memory(call::memory_create(quota(), abi::page_size, 0).value_or(0)), lease = lease_below(0), low = of_priority(1), middle = of_priority(3);
        const Owned copy(native::duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
        REQUIRE(at && copy && low && middle);
        leased = copy.get();
        const auto content = [&] {
            std::array<std::byte, looked_at> found{};
            CHECK(call::memory_read(memory.get(), 0, found));
            return found;
        };
        CHECK(call::memory_write(memory.get(), 0, std::array<std::byte, looked_at>{std::byte{'x'}}));
        auto* const worker = hold_in_work(low);
        REQUIRE(worker);
        auto* const writer = start([](void*) {
            CHECK_ERROR(call::memory_write(leased, 0, {reinterpret_cast<const std::byte*>(at + last), looked_at}), revoked);
        }, middle);
        REQUIRE(writer);
        until_others_wait(2);
        CHECK(call::lease_revoke(lease.get()));
        const auto after = content();
        CHECK(after[0] == std::byte{'x'});
        writer->join();
        worker->join();
        CHECK(content() == after);
        CHECK(call::space_unmap(space(), at, filled));
        native::release_range(at, filled);
    });
}

// The Memory's lease ends while whoever maps it sleeps, as another call has the range in work for long: nothing is left there that a revocation could not reach any more.
KERNEL_USER_TEST(a_mapping_that_slept_maps_nothing_after_the_revocation) {
    run_at(4, [](void*) {
        at = native::reserve_range(filled).value_or(0);
        const Owned memory(call::memory_create(quota(), abi::page_size, 0).value_or(0)), lease = lease_below(0), low = of_priority(1), middle = of_priority(3);
        const Owned copy(native::duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
        REQUIRE(at && copy && low && middle);
        leased = copy.get();
        auto* const worker = hold_in_work(low);
        REQUIRE(worker);
        auto* const mapper = start([](void*) {
            CHECK_ERROR(call::space_map(space(), leased, at, 0, abi::page_size, read_write | abi::map_flag::replace), revoked);
        }, middle);
        REQUIRE(mapper);
        until_others_wait(2);
        CHECK(call::lease_revoke(lease.get()));
        mapper->join();
        worker->join();
        CHECK_ERROR(call::memory_write(memory.get(), 0, {reinterpret_cast<const std::byte*>(at), looked_at}), bad_pointer);
        CHECK(call::space_unmap(space(), at, filled));
        native::release_range(at, filled);
    });
}

// It was woken before the revocation and gets a turn only after it: what was signalled then is somebody else's.
KERNEL_USER_TEST(who_was_woken_before_a_revocation_takes_nothing_after_it) {
    run_at(2, [](void*) {
        const Owned bell(call::notification_create(quota()).value_or(0)), lease = lease_below(0), low = of_priority(1);
        const Owned copy(native::duplicate(bell.get(), 0, 0, lease.get()).value_or(0));
        REQUIRE(copy && low);
        leased = copy.get();
        auto* const borrower = start([](void*) { CHECK_ERROR(call::notification_wait(leased, abi::never), revoked); }, low);
        REQUIRE(borrower);
        until_others_wait(0);
        // From here on the borrower has no turn until it is waited for.
        CHECK(call::notification_signal(bell.get(), 1));
        CHECK(call::lease_revoke(lease.get()));
        CHECK(call::notification_signal(bell.get(), 2));
        borrower->join();
        CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) == 3);
    });
}

// Each of these tells every processor, whoever has it: a thread that asks again and again must not take others' time so. A tenth of a millisecond lies between two rounds.
KERNEL_USER_TEST(what_interrupts_all_processors_in_a_row_is_slow) {
    NEEDS_PROCESSORS(2);
    constexpr std::uint64_t times = 20, between = 100'000;
    const auto takes_its_time = [&](auto&& once) {
        const std::uint64_t begin = native::monotonic_nanoseconds();
        for (std::uint64_t i = 0; i < times; ++i)
            if (!once()) return false;
        return native::monotonic_nanoseconds() - begin >= (times - 1) * between;
    };
    CHECK(takes_its_time([] {
        const Owned lease = lease_below(0);
        return call::lease_revoke(lease.get()).has_value();
    }));
    const Owned its_budget(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 0}).value_or(0));
    CHECK(takes_its_time([&, limit = 1000u]() mutable { return call::budget_configure(its_budget.get(), {1024, 0, ++limit, 10'000, 0}).has_value(); }));
    CHECK(takes_its_time([] {
        const auto shared = native::MappedMemory::create(quota(), abi::page_size);
        return shared && call::memory_seal(shared->memory.get());
    }));
}
