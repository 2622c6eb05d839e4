// Objects that hold each other in a long chain. When the last name of the first goes, all go, one after the other: however long the chain, the kernel's stack must
// not grow with it.
#include "kernel/tests/native/test.hpp"

using namespace kernel_test;
namespace call = native::call;

namespace {

constexpr int links = 400;

// Calls make(previous) for each link and gives up the previous one's handle; then the last one's.
template <class Make> void hang_and_drop(Make&& make) {
    const auto before = figures();
    abi::Handle last = abi::no_handle;
    for (int i = 0; i < links; ++i) {
        const auto next = make(last);
        REQUIRE(next);
        if (last != abi::no_handle) CHECK(call::handle_close(last));
        last = *next;
    }
    CHECK(call::handle_close(last));
    const auto after = figures();
    CHECK(before.used_pages == after.used_pages);
}

// The same for what is walked at every use: the chain is refused after `longest` links.
template <class Make> void hang_as_far_as_it_goes(int longest, Make&& make) {
    const auto before = figures();
    abi::Handle last = abi::no_handle;
    int link = 0;
    for (; link < links; ++link) {
        const auto next = make(last);
        if (!next) {
            CHECK_ERROR(next, bad_argument);
            break;
        }
        if (last != abi::no_handle) CHECK(call::handle_close(last));
        last = *next;
    }
    CHECK(link == longest);
    CHECK(call::handle_close(last));
    CHECK(before.used_pages == figures().used_pages);
}

} // namespace

// Of the names of capabilities under a lease.
KERNEL_USER_TEST(a_chain_of_leases_is_short_and_goes) {
    hang_as_far_as_it_goes(64, [](abi::Handle last) { return call::lease_create(quota(), last); });
}

// At every page.
KERNEL_USER_TEST(a_chain_of_quotas_is_short_and_goes) {
    hang_as_far_as_it_goes(15, [](abi::Handle last) { return call::quota_create(last == abi::no_handle ? quota() : last, 1 << 16); });
}

// At every switch of a thread.
KERNEL_USER_TEST(a_chain_of_budgets_is_short_and_goes) {
    hang_as_far_as_it_goes(7, [](abi::Handle last) {
        return call::budget_create(quota(), last == abi::no_handle ? budget() : last, abi::BudgetParameters{1024, 0, 0, 0, 0});
    });
}

// Each process' table holds the one before it.
KERNEL_USER_TEST(a_long_chain_of_processes_goes) {
    hang_and_drop([](abi::Handle last) {
        const auto process = call::process_create(quota(), budget());
        if (process && last != abi::no_handle) CHECK(call::process_grant(*process, last, 0, abi::no_handle));
        return process;
    });
}
