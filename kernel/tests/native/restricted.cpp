// Restricted mode: a tiny personality in the test program runs tiny guests.
#include <atomic>
#include <cstring>

#include "kernel/tests/native/guest.hpp"
#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

extern "C" {
extern const unsigned char guest_add[], guest_add_end[], guest_loop[], guest_loop_end[], guest_touch[], guest_touch_end[];
extern const unsigned char guest_fault[], guest_fault_end[], guest_vector[], guest_vector_end[];
extern const unsigned char guest_bases[], guest_bases_end[], guest_constant[], guest_constant_end[];
std::int64_t native_peek(std::uint64_t address, std::uint64_t* out);
std::int64_t native_poke(std::uint64_t address, std::uint64_t value);
}

namespace {

void run_adder(std::uint32_t flags) {
    Guest one;
    REQUIRE(one.create(flags, guest_add, guest_add_end));
    guest().rdi = 40;
    guest().rsi = 2;
    guest().r15 = 0x1515;
    guest().rbp = 0xbbbb;
    for (std::uint64_t i = 0; i < 100; ++i) {
        guest().rdi = 40 + i;
        // The fast way back shows no more of the kernel's registers than the general one.
        const auto entered = call::raw_losing_registers(abi::KernelCall::restricted_enter, 0, 0, 0, 0, 0, 0);
        CHECK(entered.status == 0 && entered.value == 0);
        CHECK(state().reason == abi::ExitReason::syscall);
        CHECK(guest().rax == 7 && guest().rbx == 42 + i && guest().r15 == 0x1515 && guest().rbp == 0xbbbb);
        CHECK(guest().rip == guest().rcx);
    }
    one.close();
}

} // namespace

KERNEL_USER_TEST(a_guest_calls_its_personality_split) { run_adder(0); }
KERNEL_USER_TEST(a_guest_calls_its_personality_fused) { run_adder(fused); }

// What the table has a value for is answered, and nothing beside it.
KERNEL_USER_TEST(constant_calls_do_not_leave_the_guest) {
    for (const std::uint32_t flags : {0u, fused}) {
        Guest one;
        REQUIRE(one.create(flags, guest_constant, guest_constant_end));
        abi::FastCalls& constants = native::current_thread().page->fast_calls;
        constants = {};
        constants.index[39] = 1;
        constants.index[abi::fast_calls - 1] = abi::constant_values + 15;
        constants.values[1] = 0x123456789abc;
        constants.values[15] = 15;
        const auto ask = [](std::uint64_t number) {
            guest().rip = code_at;
            guest().rdi = number;
            guest().rdx = 0xd;
            CHECK(call::restricted_enter(0));
            CHECK(state().reason == abi::ExitReason::syscall && guest().rdi == number && guest().rdx == 0xd);
        };
        ask(39); // in the general way
        CHECK(guest().rax == 9 && guest().rbx == 0x123456789abc);
        guest().rcx = guest().rip = code_at;
        ask(39);
        CHECK(guest().rax == 9 && guest().rbx == 0x123456789abc);
        ask(abi::fast_calls - 1);
        CHECK(guest().rax == 9 && guest().rbx == 15);
        for (const std::uint64_t other : {std::uint64_t{0}, std::uint64_t{38}, std::uint64_t{abi::fast_calls + 39}, (std::uint64_t{1} << 32) + 39, ~std::uint64_t{0}}) {
            ask(other);
            CHECK(guest().rax == other);
        }
        // Who steps through a guest sees the call.
        guest().rip = code_at + 3;
        guest().rax = 39;
        guest().rflags = 0x100;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::syscall && guest().rax == 39);
        guest().rflags = 0;
        constants.index[39] = 0;
        ask(39);
        CHECK(guest().rax == 39);
        one.close();
    }
}

KERNEL_USER_TEST(a_guest_does_not_reach_the_personality) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    static volatile std::uint64_t secret = 0x5ec3e7;
    const std::uint64_t targets[] = {reinterpret_cast<std::uint64_t>(&secret), 0xffff'ffff'8000'0000, 0xffff'a000'0010'0000, abi::thread_pages_base};
    for (const std::uint64_t target : targets) {
        for (std::uint64_t kind = 0; kind < 3; ++kind) {
            guest().rip = code_at;
            guest().rdi = target;
            guest().rdx = kind;
            guest().rsi = 1;
            CHECK(call::restricted_enter(0));
            CHECK(state().reason == abi::ExitReason::exception);
            CHECK(state().vector == 14 && state().fault_address == target);
        }
    }
    CHECK(secret == 0x5ec3e7);
    // What is its own it reaches: demand-zero and back.
    guest().rip = code_at;
    guest().rdi = data_at + page;
    guest().rsi = 99;
    guest().rdx = 1;
    CHECK(call::restricted_enter(0));
    CHECK(state().reason == abi::ExitReason::syscall);
    std::uint64_t value = 0;
    CHECK(native_peek(data_at + page, &value) == 0 && value == 99);
    one.close();
}

KERNEL_USER_TEST(fault_fixup_covers_guest_memory) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    std::uint64_t value = 1;
    CHECK(native_peek(data_at, &value) == 0 && value == 0);
    CHECK(native_peek(0x1000, &value) == -1);
    CHECK(native_poke(code_at, 1) == -1);
    CHECK(native_peek(0x0000'9000'0000'0000, &value) == -1);
    CHECK(native_peek(0xffff'7000'0000'0000, &value) == -1);
    CHECK_ERROR(call::process_set_fixup(0x1000, 0x2000, 0x3000), bad_pointer);
    one.close();
}

KERNEL_USER_TEST(guest_exceptions_reach_the_personality) {
    Guest one;
    REQUIRE(one.create(0, guest_fault, guest_fault_end));
    const std::uint32_t expected[] = {6, 3, 0, 13, 13, 13};
    for (std::uint64_t i = 0; i < 6; ++i) {
        guest().rip = code_at;
        guest().rdi = i;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::exception);
        CHECK(state().vector == expected[i]);
    }
    // One step at a time.
    guest().rip = code_at;
    guest().rdi = 0;
    guest().rflags = 0x100;
    CHECK(call::restricted_enter(0));
    CHECK(state().reason == abi::ExitReason::exception && state().vector == 1);
    guest().rflags = 0;
    for (const std::uint64_t bad : {std::uint64_t{0x0000'8000'0000'0000}, std::uint64_t{0xffff'ffff'ff60'0400}, abi::program_base}) {
        guest().rip = bad;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::exception);
    }
    CHECK(state().fault_address == abi::program_base);
    guest().rip = code_at;
    guest().fs_base = abi::personality_base;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    guest().fs_base = 0;
    one.close();
    CHECK_ERROR(call::restricted_enter(0), bad_state);
}

KERNEL_USER_TEST(map_operations_come_before_the_guest) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    guest().rdi = 0x10000000;
    guest().rdx = 1;
    guest().rsi = 5;
    CHECK(call::restricted_enter(0));
    CHECK(state().reason == abi::ExitReason::exception && state().fault_address == 0x10000000);
    state().operation_count = 2;
    state().operations[0] = {abi::MapOperation::Kind::map, protection::read | protection::write, 0x10000000, page, 0, 0};
    state().operations[1] = {abi::MapOperation::Kind::unmap, 0, data_at, page, 0, 0};
    CHECK(call::restricted_enter(0));
    CHECK(state().reason == abi::ExitReason::syscall && state().operations_done == 2 && state().operation_error == 0);
    std::uint64_t value = 0;
    CHECK(native_peek(0x10000000, &value) == 0 && value == 5);
    CHECK(native_peek(data_at, &value) == -1);
    state().operation_count = 1;
    state().operations[0] = {abi::MapOperation::Kind::map, protection::read, abi::program_base, page, 0, 0};
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    CHECK(state().operations_done == 0 && state().operation_error == -static_cast<std::int32_t>(abi::Error::bad_argument));
    state().operation_count = 9;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    state().operation_count = 0;
    one.close();
}

KERNEL_USER_TEST(a_fork_shares_until_a_write) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    CHECK(native_poke(data_at, 11) == 0);
    const auto shared = call::memory_create(quota(), page, 0);
    REQUIRE(shared);
    CHECK(call::space_map(one.space, *shared, 0x20000000, 0, page, protection::read | protection::write));
    const auto pages = figures().free_pages;
    const auto copy = call::space_fork(one.space, quota());
    REQUIRE(copy);
    CHECK(figures().free_pages + 16 > pages);
    CHECK(native_poke(data_at, 12) == 0);
    CHECK(native_poke(0x20000000, 21) == 0);
    CHECK(call::restricted_attach(*copy));
    std::uint64_t value = 0;
    CHECK(native_peek(data_at, &value) == 0 && value == 11);
    CHECK(native_peek(0x20000000, &value) == 0 && value == 21);
    CHECK(native_poke(data_at, 13) == 0);
    CHECK(call::restricted_attach(one.space));
    CHECK(native_peek(data_at, &value) == 0 && value == 12);
    CHECK(call::handle_close(*copy));
    CHECK(call::handle_close(*shared));
    one.close();
}

namespace {
struct Kicker {
    abi::Handle thread = 0;
};
void kick_later(void* argument) {
    for (int i = 0; i < 3; ++i) (void)call::thread_yield();
    (void)call::thread_kick(static_cast<Kicker*>(argument)->thread);
}

struct Looper {
    std::atomic<std::int32_t> reason{-1};
    std::atomic<std::uint64_t> count{0};
    std::atomic<bool> good{false};
};
void loop_in_guest(void* argument) {
    Looper& looper = *static_cast<Looper*>(argument);
    Guest one;
    looper.good = one.create(0, guest_loop, guest_loop_end);
    guest().r12 = 0x1212;
    looper.good = looper.good && call::restricted_enter(0).has_value() && guest().r12 == 0x1212;
    looper.reason = static_cast<std::int32_t>(state().reason);
    looper.count = guest().rax;
    one.close();
}
} // namespace

KERNEL_USER_TEST(a_kick_gets_a_looping_guest_out) {
    Looper looper;
    auto thread = native::Thread::create(loop_in_guest, &looper);
    REQUIRE(thread);
    Kicker kicker{(*thread)->handle()};
    auto helper = native::Thread::create(kick_later, &kicker);
    REQUIRE(helper);
    (*thread)->join();
    (*helper)->join();
    CHECK(looper.good);
    CHECK(looper.reason == static_cast<std::int32_t>(abi::ExitReason::kick));
}

KERNEL_USER_TEST(vectors_and_segment_bases_are_the_guests) {
    Guest one;
    REQUIRE(one.create(0, guest_vector, guest_vector_end));
    CHECK(native_poke(data_at, 0xf5) == 0);
    CHECK(native_poke(data_at + 8, 0x65) == 0);
    guest().fs_base = data_at;
    guest().gs_base = data_at + 8;
    guest().rdi = 0x1122334455667788;
    CHECK(call::restricted_enter(1));
    CHECK(state().reason == abi::ExitReason::syscall && guest().rax == 2);
    CHECK(guest().rbx == 0xf5 && guest().rbp == 0x65);
    CHECK(guest().fs_base == data_at && guest().gs_base == data_at + 8);
    (void)call::thread_yield();
    alignas(64) static std::byte area[4096];
    const auto used = call::vector_state(0, area);
    REQUIRE(used);
    std::uint64_t xmm0 = 0;
    std::memcpy(&xmm0, area + 160, 8);
    CHECK(xmm0 == 0x1122334455667788);
    CHECK(call::restricted_enter(0));
    CHECK(guest().rax == 3 && guest().rbx == 0x1122334455667788);
    const std::uint64_t other = 0x99;
    std::memcpy(area + 160, &other, 8);
    // Reserved bits of MXCSR do not get through.
    std::memset(area + 24, 0xff, 4);
    guest().rip = code_at + 0;
    CHECK(call::vector_state(1, std::span(area, *used)));
    CHECK(call::vector_state(0, area));
    std::memcpy(&xmm0, area + 160, 8);
    CHECK(xmm0 == 0x99);
    std::memset(area + 512, 0xff, 64);
    if (*used > 512) CHECK_ERROR(call::vector_state(1, std::span(area, *used)), bad_argument); // a processor without XSAVE has no header
    CHECK_ERROR(call::vector_state(0, std::span(area, 100)), bad_argument);
    CHECK_ERROR(call::vector_state(2, area), bad_argument);
    one.close();
    // Nor does a thread without a guest find what was in the registers.
    CHECK_ERROR(call::vector_state(0, area), bad_state);
}

// A guest moves its segment bases without a call; the personality sets them back to what it gave before, and that must count.
KERNEL_USER_TEST(segment_bases_are_set_back) {
    Guest one;
    REQUIRE(one.create(0, guest_bases, guest_bases_end));
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(native_poke(data_at + 8 * i, 0x10 + i) == 0);
    for (int round = 0; round < 2; ++round) {
        guest().fs_base = data_at;
        guest().gs_base = data_at + 8;
        guest().rdi = data_at + 16;
        guest().rsi = data_at + 24;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::syscall && guest().rax == 4);
        CHECK(guest().fs_base == data_at + 16 && guest().gs_base == data_at + 24);
        if (round == 0) {
            guest().fs_base = data_at;
            guest().gs_base = data_at + 8;
        }
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::syscall && guest().rax == 5);
        const std::uint64_t moved = round == 0 ? 0 : 2;
        CHECK(guest().rbx == 0x10 + moved && guest().rbp == 0x11 + moved);
    }
    one.close();
}

KERNEL_USER_TEST(guests_may_have_writable_code_and_shared_memory_may_not) {
    const auto half = call::space_create(quota(), 0);
    REQUIRE(half);
    CHECK(call::space_map(*half, 0, code_at, 0, page, protection::read | protection::write | protection::execute));
    const auto memory = call::memory_create(quota(), page, 0);
    REQUIRE(memory);
    CHECK_ERROR(call::space_map(*half, *memory, data_at, 0, page, protection::read | protection::write | protection::execute), bad_argument);
    CHECK(call::space_map(*half, *memory, data_at, 0, page, protection::read | protection::execute));
    CHECK_ERROR(call::space_protect(*half, data_at, page, protection::read | protection::write), missing_right);
    // The last page of the half is nobody's.
    CHECK_ERROR(call::space_map(*half, 0, 0x7ffffffff000, 0, page, protection::read), bad_argument);
    CHECK_ERROR(call::restricted_attach(space()), wrong_kind);
    CHECK(call::handle_close(*memory));
    CHECK(call::handle_close(*half));
}

KERNEL_USER_TEST(futexes_wake_waiters_of_the_same_word) {
    static std::uint32_t word = 0;
    struct Waiter {
        static void run(void* argument) {
            auto& result = *static_cast<std::atomic<std::int32_t>*>(argument);
            result = error_of(native::futex_wait(&word, 0));
        }
    };
    CHECK_ERROR(native::futex_wait(&word, 1), changed);
    CHECK_ERROR(call::futex_wait(native::address_of(&word), 0, abi::poll, 0, native::any_futex_bits), timed_out);
    CHECK_ERROR(call::futex_wait(0x1000, 0, abi::poll, 0, native::any_futex_bits), bad_pointer);
    CHECK_ERROR(call::futex_wait(native::address_of(&word) + 1, 0, abi::poll, 0, native::any_futex_bits), bad_argument);
    std::atomic<std::int32_t> results[3] = {-1, -1, -1};
    native::Thread* threads[3] = {};
    for (int i = 0; i < 3; ++i) threads[i] = native::Thread::create(Waiter::run, &results[i]).value_or(nullptr);
    for (int i = 0; i < 30; ++i) (void)call::thread_yield();
    std::uint64_t woken = 0;
    static std::uint32_t other = 0;
    while (woken < 1) woken += static_cast<std::uint32_t>(call::futex_wake(native::address_of(&word), 1, 0, native::address_of(&other), 1, native::any_futex_bits).value_or(99));
    while (woken < 3) {
        woken += call::futex_wake(native::address_of(&word), 9, 0, 0, 0, native::any_futex_bits).value_or(99);
        woken += call::futex_wake(native::address_of(&other), 9, 0, 0, 0, native::any_futex_bits).value_or(99);
    }
    CHECK(woken == 3);
    for (auto* thread : threads) thread->join();
    for (auto& result : results) CHECK(result == 0);
}

KERNEL_USER_TEST(a_forks_frames_come_back) {
    const auto fork_and_end = [] {
        for (int round = 0; round < 4; ++round) {
            Guest one;
            REQUIRE(one.create(0, guest_touch, guest_touch_end));
            CHECK(native_poke(data_at, 1) == 0);
            const auto copy = call::space_fork(one.space, quota());
            REQUIRE(copy);
            CHECK(native_poke(data_at, 2) == 0);
            CHECK(call::handle_close(*copy));
            one.close();
        }
    };
    fork_and_end();
    leaves_nothing_behind(fork_and_end);
}

// Pages of a copy lie side by side, paid for by turns by the copy's quota and by that of what it was copied from.
KERNEL_USER_TEST(pages_of_two_payers_are_each_given_back) {
    constexpr std::uint64_t pages = 24;
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    const auto first = call::quota_create(quota(), 256), second = call::quota_create(quota(), 256);
    REQUIRE(first && second);
    const auto origin = call::space_create(*first, 0);
    REQUIRE(origin && call::space_map(*origin, 0, data_at, 0, pages * page, protection::read | protection::write | abi::map_flag::populate));
    const auto copy = call::space_fork(*origin, *second);
    REQUIRE(copy && call::restricted_attach(*copy));
    const auto frames_of = [](abi::Handle payer) {
        abi::QuotaInfo info{};
        CHECK(call::quota_inspect(payer, info));
        return info.used_pages - info.table_pages;
    };
    const std::uint64_t of_first = frames_of(*first), of_second = frames_of(*second);
    for (std::uint64_t i = 0; i < pages; i += 2) CHECK(native_poke(data_at + i * page, i) == 0);
    CHECK(frames_of(*first) == of_first && frames_of(*second) == of_second + pages / 2);
    // What the copy still shows stays, and is still the first one's.
    CHECK(call::space_unmap(*origin, data_at, pages * page));
    CHECK(frames_of(*first) == of_first - pages / 2 && frames_of(*second) == of_second + pages / 2);
    CHECK(call::space_unmap(*copy, data_at, pages * page));
    CHECK(frames_of(*first) == of_first - pages && frames_of(*second) == of_second);
    CHECK(call::restricted_attach(0));
    for (const abi::Handle handle : {*copy, *origin, *second, *first, one.space}) CHECK(call::handle_close(handle));
}

// The other processor looks at a page of the guest all the time, and sees when another one comes in its place.
KERNEL_USER_TEST(another_processor_forgets_a_page) {
    NEEDS_PROCESSORS(2);
    struct Looker {
        abi::Handle space;
        std::atomic<bool> seen{false}, stop{false};
        std::atomic<std::uint64_t> last{0};
    };
    const auto second_cpu = call::budget_create(quota(), budget(), {1024, 0, 0, 0, 2});
    REQUIRE(second_cpu);
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    Looker looker{.space = one.space};
    CHECK(native_poke(data_at, 1) == 0);
    auto thread = native::Thread::create(
        [](void* argument) {
            auto& self = *static_cast<Looker*>(argument);
            if (!call::restricted_attach(self.space)) return;
            while (!self.stop) {
                std::uint64_t value = 0;
                if (native_peek(data_at, &value) == 0) self.last = value;
                self.seen = true;
            }
            (void)call::restricted_attach(0);
        },
        &looker, {.budget = *second_cpu});
    REQUIRE(thread);
    const auto sleep = [] {
        const auto nothing = call::notification_create(quota());
        REQUIRE(nothing);
        CHECK_ERROR(call::notification_wait(*nothing, native::after_milliseconds(1)), timed_out);
        CHECK(call::handle_close(*nothing));
    };
    const auto wait_for = [&](auto&& condition) {
        for (int i = 0; i < 20'000 && !condition(); ++i) sleep();
        return condition();
    };
    CHECK(wait_for([&] { return looker.last == 1; }));
    for (std::uint64_t value = 2; value < 10; ++value) {
        const auto memory = call::memory_create(quota(), page, 0);
        REQUIRE(memory && call::memory_write(*memory, 0, std::as_bytes(std::span(&value, 1))));
        CHECK(call::space_map(one.space, *memory, data_at, 0, page, protection::read | abi::map_flag::replace));
        CHECK(call::handle_close(*memory));
        // What it was at may end with the old page, no look after that.
        for (int look = 0; look < 2; ++look) {
            looker.seen = false;
            CHECK(wait_for([&] { return looker.seen.load(); }));
        }
        CHECK(looker.last == value);
    }
    looker.stop = true;
    (*thread)->join();
    CHECK(call::handle_close(*second_cpu));
    one.close();
}

KERNEL_USER_TEST(an_entry_that_is_wrong_is_refused) {
    CHECK_ERROR(call::restricted_enter(0), bad_state);
    Guest one;
    REQUIRE(one.create(0, guest_add, guest_add_end));
    CHECK_ERROR(call::restricted_enter(2), bad_argument);
    guest().fs_base = abi::heap_base;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    guest().fs_base = 0;
    guest().gs_base = abi::heap_base;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    guest().gs_base = 0;
    state().operation_count = abi::map_operations + 1;
    CHECK_ERROR(call::restricted_enter(0), bad_argument);
    struct {
        abi::MapOperation operation;
        abi::Error error;
    } const wrong[] = {
        {{.kind = static_cast<abi::MapOperation::Kind>(0), .address = data_at, .length = page}, abi::Error::bad_argument},
        {{.kind = abi::MapOperation::Kind::map, .flags = protection::read, .address = data_at, .length = page}, abi::Error::exists},
        {{.kind = abi::MapOperation::Kind::map, .flags = protection::read, .address = stack_at - page, .length = page, .memory = 0x7777'0000'0003}, abi::Error::bad_handle},
        {{.kind = abi::MapOperation::Kind::unmap, .address = data_at + 1, .length = page}, abi::Error::bad_argument},
        {{.kind = abi::MapOperation::Kind::protect, .flags = 8, .address = data_at, .length = page}, abi::Error::bad_argument},
    };
    for (const auto& [operation, error] : wrong) {
        state().operation_count = 2;
        state().operations[0] = {.kind = abi::MapOperation::Kind::protect, .flags = protection::read, .address = data_at + page, .length = page};
        state().operations[1] = operation;
        (void)call::restricted_enter(0);
        CHECK(state().operations_done == 1 && state().operation_error == -static_cast<std::int32_t>(error));
    }
    state().operation_count = 0;
    one.close();
}

// The guest's own memory ends: its personality hears which page there was no frame for.
KERNEL_USER_TEST(a_guest_without_memory_leaves_with_the_reason) {
    Guest one;
    REQUIRE(one.create(0, guest_touch, guest_touch_end));
    const auto small = call::quota_create(quota(), 64);
    const auto poor = small ? call::space_fork(one.space, *small) : base::fail(abi::Error::no_memory);
    REQUIRE(poor);
    constexpr std::uint64_t wide_at = 0x1000'0000;
    CHECK(call::space_map(*poor, 0, wide_at, 0, 128 * page, protection::read | protection::write));
    CHECK(call::restricted_attach(*poor));
    std::uint64_t pages = 0;
    for (; pages < 128; ++pages) {
        guest().rip = code_at;
        guest().rdi = wide_at + pages * page;
        guest().rsi = 1;
        guest().rdx = 1;
        CHECK(call::restricted_enter(0));
        if (state().reason != abi::ExitReason::syscall) break;
    }
    CHECK(pages > 0 && pages < 64 && state().reason == abi::ExitReason::no_memory && state().fault_address == wide_at + pages * page);
    CHECK(call::restricted_attach(0));
    CHECK(call::handle_close(*poor) && call::handle_close(*small));
    one.close();
}
