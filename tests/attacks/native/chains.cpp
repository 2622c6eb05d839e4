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

} // namespace

KERNEL_USER_TEST(a_long_chain_of_leases_goes) {
    hang_and_drop([](abi::Handle last) { return call::lease_create(quota(), last); });
}

KERNEL_USER_TEST(a_long_chain_of_quotas_goes) {
    hang_and_drop([](abi::Handle last) { return call::quota_create(last == abi::no_handle ? quota() : last, 1 << 16); });
}

// Every switch of a thread may walk its budget's parents: no chain of them is long.
KERNEL_USER_TEST(a_chain_of_budgets_is_short_and_goes) {
    const auto before = figures();
    const abi::BudgetParameters parameters{1024, 0, 0, 0, 0};
    abi::Handle last = abi::no_handle;
    for (int i = 0; i < links; ++i) {
        const auto next = call::budget_create(quota(), last == abi::no_handle ? budget() : last, parameters);
        if (!next) {
            CHECK(next.error() == abi::Error::bad_argument && i > 0 && i < 8);
            break;
        }
        CHECK(i < 8);
        if (last != abi::no_handle) CHECK(call::handle_close(last));
        last = *next;
    }
    CHECK(call::handle_close(last));
    CHECK(before.used_pages == figures().used_pages);
}

// Each process' table holds the one before it.
KERNEL_USER_TEST(a_long_chain_of_processes_goes) {
    hang_and_drop([](abi::Handle last) {
        const auto process = call::process_create(quota(), budget());
        if (process && last != abi::no_handle) CHECK(call::process_grant(*process, last, 0, abi::no_handle));
        return process;
    });
}
