// Processes: start, end, watch, fault, and that nothing stays behind.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "abi/kernel_calls.hpp"
#include "kernel/tests/native/child.hpp"
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
namespace right = abi::right;

namespace {

constexpr std::uint64_t code_at = Child::code_at;
constexpr std::uint64_t stack_at = abi::stack_base + abi::page_size;

// Machine code of tiny processes.
constexpr unsigned char exit_with_argument[] = {0xb8, 17, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xfe};          // mov $17,%eax; syscall; jmp .
constexpr unsigned char loop_for_ever[] = {0xeb, 0xfe};                                              // jmp .
constexpr unsigned char read_nowhere[] = {0x48, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00, 0xeb, 0xfe}; // mov 0x1000,%rax

// Code that is not so tiny, with numbers of calls in it.
constexpr unsigned char number_of(abi::KernelCall call) { return static_cast<unsigned char>(call); }
// 256 MiB, and then nothing.
constexpr unsigned char make_much_of_the_quota_in_the_argument[] = {
    0xbe, 0, 0, 0, 0x10,                                               // mov $256 MiB,%esi
    0xba, abi::memory_flag::populate, 0, 0, 0,                         // mov $flags,%edx
    0xb8, number_of(abi::KernelCall::memory_create), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
    0xeb, 0xfe};                                                       // jmp .
constexpr unsigned char map_much[] = {
    0x31, 0xf6,                                                     // xor %esi,%esi: no Memory
    0x48, 0xba, 0, 0, 0, 0, 0x20, 0x80, 0xff, 0xff,                 // mov $address,%rdx
    0x45, 0x31, 0xd2,                                               // xor %r10d,%r10d
    0x41, 0xb8, 0, 0, 0, 0x10,                                      // mov $256 MiB,%r8d
    0x41, 0xb9, protection::read | protection::write, abi::map_flag::populate >> 8, 0, 0, // mov $flags,%r9d
    0xb8, number_of(abi::KernelCall::space_map), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
    0xeb, 0xfe};                                                    // jmp .
constexpr unsigned char leave_the_process[] = {0xb8, number_of(abi::KernelCall::thread_exit), 0, 0, 0, 0x0f, 0x05}; // mov $number,%eax; syscall
constexpr unsigned char destroy_the_quota_in_the_argument[] = {
    0xb8, number_of(abi::KernelCall::quota_destroy), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
    0x48, 0x89, 0xc7,                                                     // mov %rax,%rdi
    0xb8, number_of(abi::KernelCall::process_exit), 0, 0, 0, 0x0f, 0x05,  // mov $number,%eax; syscall
    0xeb, 0xfe};                                                          // jmp .
constexpr unsigned char call_the_endpoint_in_the_argument[] = {
    0x48, 0x89, 0xfd,                                                       // mov %rdi,%rbp
    0x48, 0x89, 0xef,                                                       // mov %rbp,%rdi
    0x31, 0xf6,                                                             // xor %esi,%esi
    0x48, 0xc7, 0xc3, 0xff, 0xff, 0xff, 0xff,                               // mov $-1,%rbx
    0xb8, number_of(abi::KernelCall::ipc_call), 0, 0, 0, 0x0f, 0x05,        // mov $number,%eax; syscall
    0x48, 0x83, 0xec, 0x08, 0x6a, 0x01, 0x58, 0x48, 0x83, 0xc4, 0x08,       // sub $8,%rsp; push $1; pop %rax; add $8,%rsp: its stack is its own
    0xeb, 0xe0};                                                            // jmp to the second line

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

// Who makes processes that fault takes no more of the kernel's log than is kept for all of them.
KERNEL_USER_TEST(many_faults_are_few_lines) {
    constexpr std::uint64_t most_faults = 2000;
    static std::byte text[4096];
    std::uint64_t position = 0, lines = 0, begun = native::monotonic_nanoseconds();
    // Those of so many seconds, and the number of those that were left out before each.
    const auto allowed = [&] { return 2 * (32 + 4 * (1 + (native::monotonic_nanoseconds() - begun) / 1'000'000'000)); };
    const auto read = [&](auto&& seen) {
        for (;;) {
            const std::uint64_t length = call::log_read(native::granted("log"), position, std::span(text)).value_or(0);
            if (length == 0) return;
            seen(std::string_view(reinterpret_cast<const char*>(text), length));
            position += length;
        }
    };
    read([](std::string_view) {});
    const native::Owned fair(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 0}).value_or(0));
    // More than the log takes, however long that takes.
    std::uint64_t faults = 0;
    for (; faults < most_faults && faults <= allowed() + 20; ++faults) {
        auto child = Child::create(quota(), read_nowhere, fair.get());
        REQUIRE(child && child->run(0));
        CHECK(child->wait());
        child->close();
    }
    read([&](std::string_view part) { lines += static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n')); });
    CHECK(lines >= 1 && lines <= allowed());
    CHECK(faults > allowed());
}

// What a processor has of it after a reset lies where a guest's memory is.
KERNEL_USER_TEST(no_processor_has_a_local_descriptor_table) {
    constexpr unsigned char load_a_local_segment[] = {0xb8, 7, 0, 0, 0, 0x8e, 0xd8, 0xeb, 0xfe}; // mov $7,%eax; mov %eax,%ds; jmp .
    for (std::uint32_t cpu = 0; cpu < figures().cpu_count; ++cpu) {
        auto child = Child::create(quota(), load_a_local_segment);
        REQUIRE(child);
        CHECK(call::thread_choose(child->thread, 1ull << cpu) && child->run(0));
        CHECK(child->wait());
        abi::ProcessInfo info{};
        CHECK(call::process_inspect(child->process, info));
        CHECK(info.reason == abi::EndReason::fault && info.status == 13);
        child->close();
    }
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
    constexpr auto threads = static_cast<std::size_t>(abi::ObjectKind::thread);
    const auto first = figures();
    CHECK(one());
    // The last thread's own end may still be under way when its process' watch tells.
    CHECK(comes_true([&] { return figures().object_count[threads] == first.object_count[threads]; }));
    leaves_nothing_behind([&] {
        for (int i = 0; i < 200; ++i) CHECK(one());
    });
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

KERNEL_USER_TEST(a_quota_does_not_end_its_own_caller) {
    const auto small = call::quota_create(quota(), 256);
    REQUIRE(small);
    auto child = Child::start(*small, loop_for_ever, 0);
    REQUIRE(child);
    const auto granted = call::process_grant(child->process, *small, 0, 0);
    REQUIRE(granted);
    // A second thread, as the handle had to come first.
    const auto space_of_child = call::process_space(child->process);
    const auto code = call::memory_create(*small, abi::page_size, 0);
    REQUIRE(space_of_child && code);
    CHECK(call::memory_write(*code, 0, std::as_bytes(std::span(destroy_the_quota_in_the_argument))));
    CHECK(call::space_map(*space_of_child, *code, code_at + abi::page_size, 0, abi::page_size, protection::read | protection::execute));
    const auto second = call::thread_create(child->process, budget());
    REQUIRE(second && call::thread_start(*second, code_at + abi::page_size, stack_at, *granted));
    CHECK(child->wait());
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(child->process, info));
    CHECK(info.reason == abi::EndReason::exit && info.status == static_cast<std::uint64_t>(-static_cast<std::int64_t>(abi::Error::bad_state)));
    for (const auto handle : {*space_of_child, *code, *second, *small}) CHECK(call::handle_close(handle));
    child->close();
}

KERNEL_USER_TEST(a_watch_on_who_has_ended_comes_at_once) {
    auto child = Child::start(quota(), exit_with_argument, 5);
    REQUIRE(child && child->wait());
    const native::Owned late(call::notification_create(quota()).value_or(0));
    CHECK(call::process_watch(child->process, late.get(), 4));
    CHECK(call::notification_wait(late.get(), abi::poll).value_or(0) == 4);
    child->close();
}

KERNEL_USER_TEST(a_watch_ends_with_either_lease) {
    for (const bool of_process : {true, false}) {
        auto child = Child::create(quota(), loop_for_ever);
        const native::Owned lease(call::lease_create(quota(), 0).value_or(0)), bell(call::notification_create(quota()).value_or(0));
        REQUIRE(child && lease && bell);
        const native::Owned leased(call::handle_duplicate(of_process ? child->process : bell.get(), 0, 0, lease.get()).value_or(0));
        CHECK(call::process_watch(of_process ? leased.get() : child->process, of_process ? bell.get() : leased.get(), 1));
        CHECK(call::lease_revoke(lease.get()));
        CHECK(call::process_kill(child->process, 0) && child->wait());
        CHECK_ERROR(call::notification_wait(bell.get(), abi::poll), would_block);
        child->close();
    }
}

KERNEL_USER_TEST(a_process_is_watched_once_by_each) {
    const native::Owned process(call::process_create(quota(), budget()).value_or(0));
    native::Owned bells[3];
    for (auto& bell : bells) bell = native::Owned(call::notification_create(quota()).value_or(0));
    REQUIRE(process);
    for (const auto& bell : bells) CHECK(call::process_watch(process.get(), bell.get(), 1));
    for (const auto& bell : bells) CHECK_ERROR(call::process_watch(process.get(), bell.get(), 2), exists);
    CHECK(call::process_kill(process.get(), 0));
    for (const auto& bell : bells) CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) == 1);
}

// One that signals nobody any more does not keep the place from one that would.
KERNEL_USER_TEST(a_watch_that_was_revoked_makes_room) {
    for (const bool of_process : {true, false}) {
        const native::Owned process(call::process_create(quota(), budget()).value_or(0)), bell(call::notification_create(quota()).value_or(0)), lease(call::lease_create(quota(), 0).value_or(0));
        REQUIRE(process && bell && lease);
        const native::Owned leased(call::handle_duplicate(of_process ? process.get() : bell.get(), 0, 0, lease.get()).value_or(0));
        CHECK(call::process_watch(of_process ? leased.get() : process.get(), of_process ? bell.get() : leased.get(), 1));
        CHECK_ERROR(call::process_watch(process.get(), bell.get(), 2), exists);
        CHECK(call::lease_revoke(lease.get()));
        CHECK(call::process_watch(process.get(), bell.get(), 2));
        CHECK_ERROR(call::process_watch(process.get(), bell.get(), 4), exists);
        CHECK(call::process_kill(process.get(), 0));
        CHECK(call::notification_wait(bell.get(), abi::poll).value_or(0) == 2);
    }
}

KERNEL_USER_TEST(nothing_is_granted_to_who_has_ended) {
    auto child = Child::start(quota(), exit_with_argument, 5);
    REQUIRE(child && child->wait());
    CHECK_ERROR(call::process_grant(child->process, child->watch, 0, 0), bad_state);
    child->close();
}

KERNEL_USER_TEST(a_server_process_that_ends_is_missed) {
    native::Owned endpoint(call::endpoint_create(quota()).value_or(0));
    const native::Owned client(native::duplicate(endpoint.get(), right::send).value_or(0));
    auto child = Child::start(quota(), loop_for_ever, 0);
    REQUIRE(child && client);
    CHECK(call::process_grant(child->process, endpoint.get(), 0, 0));
    endpoint.reset();
    native::Message message{};
    CHECK_ERROR(native::send_call(client.get(), message, abi::poll), timed_out);
    CHECK(call::process_kill(child->process, 1));
    CHECK(child->wait());
    CHECK_ERROR(native::send_call(client.get(), message, abi::poll), peer_closed);
    child->close();
}

KERNEL_USER_TEST(a_thread_starts_once) {
    const native::Owned process(call::process_create(quota(), budget()).value_or(0));
    const native::Owned thread(call::thread_create(process.get(), budget()).value_or(0));
    REQUIRE(thread);
    CHECK_ERROR(call::thread_start(thread.get(), 0xffff'ffff'8000'0000, stack_at, 0), bad_pointer);
    CHECK_ERROR(call::thread_start(thread.get(), 0x1000, stack_at, 0), bad_pointer);
    CHECK_ERROR(call::thread_start(thread.get(), code_at, 0xffff'ffff'8000'0000, 0), bad_pointer);
    CHECK_ERROR(call::thread_control(thread.get(), 0), bad_argument);
    CHECK_ERROR(call::thread_control(thread.get(), 4), bad_argument);
    const native::Owned looks(native::duplicate(thread.get(), right::inspect).value_or(0));
    for (std::uint32_t operation = 1; operation <= 3; ++operation) CHECK_ERROR(call::thread_control(looks.get(), operation), missing_right);
    // Suspended, it does not get to the page that is not there.
    CHECK(call::thread_control(thread.get(), 2));
    CHECK(call::thread_start(thread.get(), code_at, stack_at, 0));
    CHECK_ERROR(call::thread_start(thread.get(), code_at, stack_at, 0), bad_state);
    CHECK(call::process_kill(process.get(), 1));
}

// The last thread leaves while others make threads for the process: either it goes on by one of them, or takes none any more.
KERNEL_USER_TEST(no_thread_joins_a_process_whose_last_one_has_left) {
    NEEDS_PROCESSORS(2);
    static std::atomic<abi::Handle> joined;
    static std::atomic<bool> over;
    over = false;
    joined = abi::no_handle;
    const auto join = [](void*) {
        // Not for ever: it would go on by one of them each time.
        unsigned joins = 0;
        for (abi::Handle now = abi::no_handle, last = now; !over; last = now) {
            now = joined;
            if (now != last) joins = 0;
            const auto thread = joins < 8 ? call::thread_create(now, budget()) : std::unexpected(abi::Error::no_slots);
            if (!thread) continue;
            ++joins;
            (void)call::thread_start(*thread, code_at, stack_at, 0);
            (void)call::handle_close(*thread);
        }
    };
    native::Thread* joiners[3] = {};
    const std::size_t count = std::min<std::size_t>(std::size(joiners), figures().cpu_count - 1);
    for (std::size_t i = 0; i < count; ++i) {
        joiners[i] = native::Thread::create(join, nullptr).value_or(nullptr);
        REQUIRE(joiners[i]);
    }
    for (unsigned round = 0; round < 400; ++round) {
        auto child = Child::create(quota(), leave_the_process);
        REQUIRE(child);
        joined = child->process;
        CHECK(child->run(0));
        CHECK(child->wait());
        abi::ProcessInfo info{};
        CHECK(call::process_inspect(child->process, info) && info.state == abi::ProcessState::ended && info.threads == 0);
        joined = abi::no_handle;
        child->close();
    }
    over = true;
    for (std::size_t i = 0; i < count; ++i) joiners[i]->join();
}

// What it was filling when it was killed is filled no further.
KERNEL_USER_TEST(a_process_that_fills_memory_can_be_killed) {
    constexpr std::uint64_t pages = 64 << 10, several_steps = 8 << 10;
    const auto pause = call::notification_create(quota());
    const auto low = call::budget_create(quota(), budget(), {1024, 0, 0, 0, 0});
    REQUIRE(pause && low);
    for (const bool maps : {false, true}) {
        const auto payer = call::quota_create(quota(), pages + 4096);
        REQUIRE(payer);
        auto child = maps ? Child::create(*payer, map_much, *low) : Child::create(*payer, make_much_of_the_quota_in_the_argument, *low);
        REQUIRE(child);
        const auto own_space = call::process_space(child->process);
        REQUIRE(own_space);
        const auto argument = call::process_grant(child->process, maps ? *own_space : *payer, 0, 0);
        REQUIRE(argument && child->run(*argument));
        const auto used = [&] {
            abi::QuotaInfo info{};
            CHECK(call::quota_inspect(*payer, info));
            return info.used_pages;
        };
        CHECK(comes_true([&] { return used() >= 256; }));
        CHECK(call::process_kill(child->process, 9));
        const std::uint64_t before = used();
        std::uint64_t most = before;
        for (abi::ProcessInfo info{}; info.state != abi::ProcessState::ended; most = std::max(most, used())) {
            CHECK(call::process_inspect(child->process, info));
            (void)call::notification_wait(*pause, native::after_milliseconds(1));
        }
        CHECK(most < before + several_steps);
        child->close();
        for (const auto handle : {*own_space, *payer}) CHECK(call::handle_close(handle));
    }
    for (const auto handle : {*pause, *low}) CHECK(call::handle_close(handle));
}

// On one processor, where the caller hands over to the server: each runs in its own memory.
KERNEL_USER_TEST(exchanges_between_processes) {
    struct Server {
        native::Owned first_cpu{call::budget_create(quota(), budget(), {1024, 0, 0, 0, 1}).value_or(0)};
        native::Owned endpoint{call::endpoint_create(quota()).value_or(0)};
        unsigned served = 0;
    } server;
    auto thread = native::Thread::create(
        [](void* argument) {
            auto& self = *static_cast<Server*>(argument);
            native::Message message{};
            abi::Handle reply = abi::no_handle;
            for (; self.served < 20; ++self.served) {
                const auto incoming = native::answer_and_receive(reply, self.endpoint.get(), message);
                REQUIRE(incoming);
                reply = incoming->reply;
            }
        },
        &server, {.budget = server.first_cpu.get()});
    REQUIRE(thread);
    const native::Owned process(call::process_create(quota(), server.first_cpu.get()).value_or(0));
    const native::Owned its_space(call::process_space(process.get()).value_or(0));
    const native::Owned memory(call::memory_create(quota(), abi::page_size, 0).value_or(0));
    REQUIRE(memory && its_space);
    CHECK(call::memory_write(memory.get(), 0, std::as_bytes(std::span(call_the_endpoint_in_the_argument))));
    CHECK(call::space_map(its_space.get(), memory.get(), code_at, 0, abi::page_size, protection::read | protection::execute));
    CHECK(call::space_map(its_space.get(), 0, stack_at, 0, abi::page_size, protection::read | protection::write));
    const auto client = call::process_grant(process.get(), server.endpoint.get(), right::send, 0);
    const native::Owned caller(call::thread_create(process.get(), server.first_cpu.get()).value_or(0));
    REQUIRE(client && caller);
    CHECK(call::thread_start(caller.get(), code_at, stack_at + abi::page_size - 8, *client));
    (*thread)->join();
    CHECK(server.served == 20);
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(process.get(), info));
    CHECK(info.reason == abi::EndReason::none);
    CHECK(call::process_kill(process.get(), 1));
}
