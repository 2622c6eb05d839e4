// Handles, rights, badges, leases, quotas.
#include "kernel/tests/native/test.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;

KERNEL_USER_TEST(handles_are_not_reused_and_lose_only_rights) {
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    const auto weaker = call::handle_duplicate(*notification, right::send | right::duplicate | right::inspect, 0, 0);
    REQUIRE(weaker);
    CHECK_ERROR(call::handle_duplicate(*weaker, right::receive, 0, 0), missing_right);
    CHECK_ERROR(call::notification_wait(*weaker, abi::poll), missing_right);
    abi::HandleInfo info{};
    CHECK(call::handle_inspect(*weaker, info));
    CHECK(info.kind == static_cast<std::uint32_t>(abi::ObjectKind::notification));
    CHECK(info.rights == (right::send | right::duplicate | right::inspect));
    CHECK(call::handle_close(*weaker));
    CHECK_ERROR(call::handle_close(*weaker), bad_handle);
    const auto again = call::handle_duplicate(*notification, 0, 0, 0);
    REQUIRE(again);
    CHECK(*again != *weaker);
    CHECK_ERROR(call::notification_signal(*weaker, 1), bad_handle);
    CHECK_ERROR(call::quota_create(*notification, 10), wrong_kind);
    CHECK_ERROR(call::handle_close(0), bad_handle);
    CHECK_ERROR(call::handle_close(0xffff'ffff'ffff'ffff), bad_handle);
    CHECK(call::handle_close(*again));
    CHECK(call::handle_close(*notification));
}

KERNEL_USER_TEST(many_handles_come_and_go) {
    const auto before = figures();
    constexpr std::size_t count = 500;
    static abi::Handle handles[count];
    for (auto& handle : handles) handle = call::notification_create(quota()).value_or(0);
    CHECK(handles[count - 1] != 0);
    for (const auto handle : handles) CHECK(call::handle_close(handle));
    const auto after = figures();
    CHECK(before.object_count[9] == after.object_count[9]);
}

// Not what its fields need, but what it takes of the node's memory.
KERNEL_USER_TEST(an_object_is_charged_what_it_takes) {
    constexpr std::size_t count = 2'000;
    constexpr std::uint64_t of_others = 8; // pages that come and go beside
    static abi::Handle handles[count];
    const auto make = [](unsigned kind) {
        switch (kind) {
        case 0: return call::notification_create(quota());
        case 1: return call::lease_create(quota(), 0);
        case 2: return call::endpoint_create(quota());
        case 3: return call::port_create(quota());
        default: return call::memory_create(quota(), abi::page_size, 0);
        }
    };
    for (unsigned kind = 0; kind < 5; ++kind) {
        std::uint64_t charged = 0, taken = 0;
        // Slots, and whatever else stays, are there before the second time.
        for (int round = 0; round < 2; ++round) {
            const auto before = figures();
            for (auto& handle : handles) handle = make(kind).value_or(0);
            const auto after = figures();
            charged = after.used_pages - before.used_pages;
            taken = before.free_pages - after.free_pages;
            CHECK(handles[count - 1] != 0);
            for (const auto handle : handles) CHECK(call::handle_close(handle));
        }
        if (taken > charged + of_others) native::print("kind ", kind, ": ", count, " take ", taken, " pages, and ", charged, " are charged");
        CHECK(taken <= charged + of_others);
    }
}

KERNEL_USER_TEST(badges_come_with_signals_and_are_set_once) {
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    const auto badged = call::handle_duplicate(*notification, 0, 0x40, 0);
    REQUIRE(badged);
    CHECK_ERROR(call::handle_duplicate(*badged, 0, 0x80, 0), bad_argument);
    CHECK(call::notification_signal(*badged, 1));
    CHECK(call::notification_wait(*notification, abi::poll).value_or(0) == 0x41);
    CHECK_ERROR(call::notification_wait(*notification, abi::poll), would_block);
    (void)call::handle_close(*badged);
    (void)call::handle_close(*notification);
}

// Also where nothing else keeps the call from its short way: nobody waits, and bits are there to be taken.
KERNEL_USER_TEST(a_signal_needs_a_notification_and_the_right) {
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    const auto sender = call::handle_duplicate(*notification, right::send, 0, 0);
    const auto receiver = call::handle_duplicate(*notification, right::receive, 0, 0);
    REQUIRE(sender && receiver);
    CHECK_ERROR(call::notification_signal(*receiver, 1), missing_right);
    CHECK(call::notification_signal(*sender, 2));
    CHECK_ERROR(call::notification_wait(*sender, abi::poll), missing_right);
    CHECK(call::notification_wait(*receiver, abi::poll).value_or(0) == 2);
    const auto endpoint = call::endpoint_create(quota());
    REQUIRE(endpoint);
    CHECK_ERROR(call::notification_signal(*endpoint, 1), wrong_kind);
    CHECK_ERROR(call::notification_wait(*endpoint, abi::poll), wrong_kind);
    for (const auto handle : {*sender, *receiver, *notification, *endpoint}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(revocation_kills_all_copies_under_the_lease) {
    const auto lease = call::lease_create(quota(), 0);
    REQUIRE(lease);
    const auto child = call::lease_create(quota(), *lease);
    REQUIRE(child);
    const auto other = call::lease_create(quota(), 0);
    REQUIRE(other);
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    const auto leased = call::handle_duplicate(*notification, 0, 0, *lease);
    REQUIRE(leased);
    const auto copy = call::handle_duplicate(*leased, 0, 0, 0);
    const auto deeper = call::handle_duplicate(*leased, 0, 0, *child);
    REQUIRE(copy && deeper);
    // Out of the lease there is no way.
    CHECK_ERROR(call::handle_duplicate(*leased, 0, 0, *other), bad_argument);
    CHECK_ERROR(call::handle_duplicate(*deeper, 0, 0, *lease), bad_argument);
    CHECK(call::lease_revoke(*child));
    CHECK_ERROR(call::notification_signal(*deeper, 1), revoked);
    CHECK(call::notification_signal(*copy, 1));
    CHECK(call::lease_revoke(*lease));
    CHECK_ERROR(call::notification_signal(*leased, 1), revoked);
    CHECK_ERROR(call::notification_signal(*copy, 1), revoked);
    CHECK_ERROR(call::handle_duplicate(*notification, 0, 0, *lease), revoked);
    abi::HandleInfo info{};
    CHECK(call::handle_inspect(*copy, info));
    CHECK(info.revoked == 1 && info.leased == 1);
    CHECK(call::notification_signal(*notification, 1));
    for (const auto handle : {*lease, *child, *other, *notification, *leased, *copy, *deeper}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(quotas_bound_memory_and_give_it_back) {
    alignas(abi::page_size) static std::byte page[abi::page_size];
    page[0] = std::byte{1}; // its own frame comes before the figures
    const auto before = figures();
    const auto small = call::quota_create(quota(), 16);
    REQUIRE(small);
    CHECK_ERROR(call::quota_create(quota(), 0), bad_argument);
    const auto memory = call::memory_create(*small, 64 * abi::page_size, 0);
    REQUIRE(memory);
    std::size_t written = 0;
    while (written < 64 && call::memory_write(*memory, written * abi::page_size, page)) ++written;
    CHECK(written > 8 && written < 16);
    CHECK_ERROR(call::memory_write(*memory, 63 * abi::page_size, page), no_memory);
    CHECK_ERROR(call::memory_create(*small, 64 * abi::page_size, abi::memory_flag::populate), no_memory);
    CHECK_ERROR(call::memory_create(*small, 64 * abi::page_size, abi::memory_flag::contiguous), no_memory);
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(*small, info));
    CHECK(info.used_pages <= 16 && info.used_pages > 8);
    CHECK(call::handle_close(*memory));
    CHECK(call::handle_close(*small));
    const auto after = figures();
    CHECK(before.used_pages == after.used_pages);
    CHECK(before.free_pages == after.free_pages);
}
