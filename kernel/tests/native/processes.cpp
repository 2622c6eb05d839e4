// Processes: start, end, watch, fault, and that nothing stays behind.
#include <algorithm>
#include <cstring>

#include "kernel/tests/native/child.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;

namespace {

// Machine code of tiny processes.
constexpr unsigned char exit_with_argument[] = {0xb8, 17, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xfe};          // mov $17,%eax; syscall; jmp .
constexpr unsigned char loop_for_ever[] = {0xeb, 0xfe};                                              // jmp .
constexpr unsigned char read_nowhere[] = {0x48, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00, 0xeb, 0xfe}; // mov 0x1000,%rax

} // namespace

KERNEL_USER_TEST(a_process_ends_with_its_status) {
    auto child = Child::start(quota(), exit_with_argument, 42);
    REQUIRE(child);
    CHECK(child->wait());
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.state == abi::ProcessState::ended && info.reason == abi::EndReason::exit && info.status == 42);
    CHECK(info.threads == 0 && info.handles == 0);
    CHECK_ERROR(call::process_grant(child->process, child->watch, 0, 0), bad_state);
    CHECK_ERROR(call::thread_create(child->process, budget()), bad_state);
    child->close();
}

KERNEL_USER_TEST(a_fault_ends_the_process_alone) {
    auto child = Child::start(quota(), read_nowhere, 0);
    REQUIRE(child);
    CHECK(child->wait());
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.reason == abi::EndReason::fault && info.status == 14 && info.fault_address == 0x1000 && info.fault_instruction == Child::code_at);
    child->close();
}

KERNEL_USER_TEST(a_process_can_be_killed) {
    auto child = Child::start(quota(), loop_for_ever, 0);
    REQUIRE(child);
    (void)call::thread_yield();
    CHECK(call::process_kill(child->process, 9));
    CHECK(child->wait());
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.reason == abi::EndReason::kill && info.status == 9);
    child->close();
}

KERNEL_USER_TEST(destroying_a_quota_ends_what_it_paid_for) {
    const auto small = call::quota_create(quota(), 256);
    REQUIRE(small);
    auto child = Child::start(*small, loop_for_ever, 0);
    REQUIRE(child);
    (void)call::thread_yield();
    CHECK(call::quota_destroy(*small));
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.state == abi::ProcessState::ended && info.reason == abi::EndReason::quota);
    CHECK_ERROR(call::notification_create(*small), no_memory);
    CHECK_ERROR(call::quota_destroy(quota()), bad_state);
    child->close();
    CHECK(call::handle_close(*small));
}

KERNEL_USER_TEST(many_processes_leave_nothing_behind) {
    auto one = [] {
        const auto small = call::quota_create(quota(), 256);
        if (!small) return false;
        auto child = Child::start(*small, exit_with_argument, 1);
        if (!child || !child->wait()) return false;
        child->close();
        return call::handle_close(*small).has_value();
    };
    CHECK(one());
    const auto before = figures();
    for (int i = 0; i < 200; ++i) CHECK(one());
    // The last thread's own end may still be under way when its process' watch tells.
    auto after = figures();
    for (int i = 0; i < 10'000 && before.free_pages != after.free_pages; ++i) {
        (void)call::thread_yield();
        after = figures();
    }
    CHECK(before.used_pages == after.used_pages);
    CHECK(before.free_pages == after.free_pages);
    CHECK(before.table_pages == after.table_pages);
    CHECK(std::equal(std::begin(before.object_count), std::end(before.object_count), std::begin(after.object_count)));
}

KERNEL_USER_TEST(capabilities_are_granted_with_fewer_rights) {
    const auto process = call::process_create(quota(), budget());
    const auto notification = call::notification_create(quota());
    REQUIRE(process && notification);
    const auto weak = call::handle_duplicate(*notification, right::send | right::transfer, 0, 0);
    const auto fixed = call::handle_duplicate(*notification, right::send, 0, 0);
    REQUIRE(weak && fixed);
    CHECK(call::process_grant(*process, *weak, right::send, 0));
    CHECK_ERROR(call::process_grant(*process, *weak, right::receive, 0), missing_right);
    CHECK_ERROR(call::process_grant(*process, *fixed, 0, 0), missing_right);
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(*process, info));
    CHECK(info.state == abi::ProcessState::created && info.handles == 1);
    for (const auto handle : {*process, *notification, *weak, *fixed}) CHECK(call::handle_close(handle));
}

// A thread that was made and given up before it started is nobody's any more: the end must not wait for it.
KERNEL_USER_TEST(a_process_ends_without_threads_that_never_started) {
    const auto small = call::quota_create(quota(), 256);
    REQUIRE(small);
    auto child = Child::start(*small, loop_for_ever, 0);
    REQUIRE(child);
    for (int i = 0; i < 3; ++i) {
        const auto thread = call::thread_create(child->process, budget());
        REQUIRE(thread);
        CHECK(call::handle_close(*thread));
    }
    CHECK(call::quota_destroy(*small));
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.state == abi::ProcessState::ended && info.threads == 0);
    child->close();
    CHECK(call::handle_close(*small));
}
