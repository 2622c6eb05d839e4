// Calls of a guest that the kernel serves by itself: yield, and waits and wake-ups at private words.
#include <atomic>
#include <tuple>

#include "kernel/tests/native/guest.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;

extern "C" {
extern const unsigned char guest_ask[], guest_ask_end[];
std::int64_t native_poke(std::uint64_t address, std::uint64_t value);
}

namespace {

constexpr std::uint64_t yield = 24, futex = 202;
constexpr std::uint32_t wait = 128, wait_for_bits = 137, wait_for_bits_too = 393, wake = 129;
constexpr std::int64_t changed = -11;
constexpr std::uint32_t in_guest = native::futex_flag::guest;

// A guest that asks once, with its table of fast calls.
struct Asking : Guest {
    bool create(std::uint32_t flags) {
        abi::FastCalls& calls = native::current_thread().page->fast_calls;
        calls = {};
        calls.index[yield] = static_cast<std::uint8_t>(abi::FastCall::yield);
        calls.index[futex] = static_cast<std::uint8_t>(abi::FastCall::futex);
        calls.futex = {wait, {wait_for_bits, wait_for_bits_too}, wake, changed};
        return Guest::create(flags, guest_ask, guest_ask_end);
    }
    // Gives rax where the call was answered, else a number that no answer is: it came here.
    static constexpr std::uint64_t came_here = 1ull << 40;
    std::uint64_t ask(std::uint64_t number, std::uint64_t rdi = 0, std::uint64_t rsi = 0, std::uint64_t rdx = 0, std::uint64_t r10 = 0, std::uint64_t r9 = 0) {
        abi::GuestRegisters& registers = guest();
        registers.rip = registers.rcx = code_at;
        registers.rbx = number;
        registers.rdi = rdi;
        registers.rsi = rsi;
        registers.rdx = rdx;
        registers.r10 = r10;
        registers.r9 = r9;
        registers.r12 = 0x1212;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::syscall && state().asleep == 0);
        CHECK(registers.rdi == rdi && registers.rsi == rsi && registers.rdx == rdx && registers.r10 == r10 && registers.r9 == r9 && registers.r12 == 0x1212);
        CHECK(registers.rsp == stack_at + page);
        if (registers.rax == 9) return registers.rbx;
        CHECK(registers.rax == number && registers.rbx == number);
        return came_here;
    }
};

// What another thread does for a guest that waits, until it is over.
struct Helper {
    abi::Handle space = 0;
    std::uint32_t bits = native::any_futex_bits;
    const abi::RestrictedState* sleeper = nullptr;
    std::atomic<std::uint64_t> woken{0};
    native::Thread* thread = nullptr;

    bool start() {
        sleeper = &state();
        thread = native::Thread::create([](void* argument) { static_cast<Helper*>(argument)->run(); }, this).value_or(nullptr);
        return thread != nullptr;
    }
    void run() {
        CHECK(call::restricted_attach(space));
        while (__atomic_load_n(&sleeper->asleep, __ATOMIC_SEQ_CST) == 0) (void)call::thread_yield();
        if (bits != native::any_futex_bits) CHECK(call::futex_wake(data_at, 9, in_guest, 0, 0, ~bits).value_or(9) == 0);
        while (woken == 0) {
            woken = call::futex_wake(data_at, 9, in_guest, 0, 0, bits).value_or(0);
            (void)call::thread_yield();
        }
        CHECK(call::restricted_attach(0));
    }
};

// Waits at a word of the guest for whoever has one of the bits.
struct Waiter {
    abi::Handle space = 0;
    std::atomic<std::int32_t> outcome{-1};
    native::Thread* thread = nullptr;

    bool start() {
        thread = native::Thread::create([](void* argument) {
            auto& self = *static_cast<Waiter*>(argument);
            CHECK(call::restricted_attach(self.space));
            self.outcome = error_of(call::futex_wait(data_at, 0, abi::never, in_guest, native::any_futex_bits));
            CHECK(call::restricted_attach(0));
        }, this).value_or(nullptr);
        return thread != nullptr;
    }
};

} // namespace

KERNEL_USER_TEST(fast_calls_are_answered_as_far_as_they_are_plain) {
    for (const std::uint32_t flags : {0u, fused}) {
        Asking one;
        REQUIRE(one.create(flags));
        CHECK(native_poke(data_at, 5) == 0);
        CHECK(one.ask(yield) == 0);
        CHECK(one.ask(futex, data_at, wait, 4) == static_cast<std::uint64_t>(changed));
        CHECK(one.ask(futex, data_at, wait_for_bits, 4, 0, 1) == static_cast<std::uint64_t>(changed));
        CHECK(one.ask(futex, data_at, wait_for_bits_too, 4, 0, 1) == static_cast<std::uint64_t>(changed));
        CHECK(one.ask(futex, data_at, wake, 1) == 0);
        // Without bits, with a deadline, shared words, other operations, no words of the guest: the personality's.
        CHECK(one.ask(futex, data_at, wait_for_bits, 4) == Asking::came_here);
        CHECK(one.ask(futex, data_at, wait, 4, 1) == Asking::came_here);
        for (const std::uint64_t operation : {0u, 1u, 130u, 131u, 0x10000u + wake}) CHECK(one.ask(futex, data_at, operation, 4) == Asking::came_here);
        for (const std::uint64_t address : {data_at + 2, abi::guest_end, ~std::uint64_t{3}, std::uint64_t{0xffff'8000'0000'0000}}) {
            CHECK(one.ask(futex, address, wait, 4) == Asking::came_here);
            CHECK(one.ask(futex, address, wake, 1) == Asking::came_here);
        }
        CHECK(one.ask(futex, 0x5000, wait, 4) == Asking::came_here); // nothing is mapped
        // The table has an end.
        for (const std::uint64_t number : {abi::fast_calls + yield, 2 * abi::fast_calls + yield, (std::uint64_t{1} << 32) + yield, (std::uint64_t{1} << 63) + yield})
            CHECK(one.ask(number) == Asking::came_here);
        native::current_thread().page->fast_calls.index[futex] = 0x82; // nothing special: values[2]
        CHECK(one.ask(futex, data_at, wake, 1) == 0);
        native::current_thread().page->fast_calls = {};
        CHECK(one.ask(futex, data_at, wake, 1) == Asking::came_here);
        one.close();
    }
}

KERNEL_USER_TEST(a_guests_wait_and_a_wake_up_meet) {
    for (const std::uint32_t flags : {0u, fused}) {
        Asking one;
        REQUIRE(one.create(flags));
        for (const auto& [operation, r9, bits] : {std::tuple{wait, 0u, native::any_futex_bits}, std::tuple{wait_for_bits, 2u, 2u}}) {
            Helper helper{.space = one.space, .bits = bits};
            REQUIRE(helper.start());
            CHECK(one.ask(futex, data_at, operation, 0, 0, r9) == 0);
            helper.thread->join();
            CHECK(helper.woken == 1);
        }
        // And the other way round.
        Waiter waiter{.space = one.space};
        REQUIRE(waiter.start());
        while (one.ask(futex, data_at, wake, 0) == 0) (void)call::thread_yield();
        waiter.thread->join();
        CHECK(waiter.outcome == 0);
        one.close();
    }
}

// The personality gets the call as the guest made it.
KERNEL_USER_TEST(a_kick_gets_a_guest_out_of_its_wait) {
    struct Waits {
        std::atomic<const abi::RestrictedState*> state{nullptr};
        std::uint64_t found = 0;
    } waits;
    auto thread = native::Thread::create([](void* argument) {
        auto& self = *static_cast<Waits*>(argument);
        Asking one;
        REQUIRE(one.create(0));
        self.state = &state();
        self.found = one.ask(futex, data_at, wait, 0);
        one.close();
    }, &waits);
    REQUIRE(thread);
    while (waits.state == nullptr || __atomic_load_n(&waits.state.load()->asleep, __ATOMIC_SEQ_CST) == 0) (void)call::thread_yield();
    CHECK(call::thread_kick((*thread)->handle()));
    (*thread)->join();
    CHECK(waits.found == Asking::came_here);
}

KERNEL_USER_TEST(a_wake_leaves_waiters_for_other_bits_alone) {
    static std::uint32_t word = 0, other = 0;
    struct BitWaiter {
        std::uint32_t bits;
        std::atomic<std::int32_t> outcome{-1};
        native::Thread* thread = nullptr;
    };
    BitWaiter waiters[3] = {{.bits = 1}, {.bits = 2}, {.bits = 6}};
    const auto wake_bits = [](const std::uint32_t* at, std::uint32_t count, std::uint32_t bits, const std::uint32_t* to = nullptr, std::uint32_t moves = 0) {
        return call::futex_wake(native::address_of(at), count, 0, native::address_of(to), moves, bits).value_or(99);
    };
    CHECK_ERROR(call::futex_wait(native::address_of(&word), 0, abi::poll, 0, 0), bad_argument);
    CHECK_ERROR(call::futex_wake(native::address_of(&word), 1, 0, 0, 0, 0), bad_argument);
    for (BitWaiter& waiter : waiters) {
        waiter.thread = native::Thread::create([](void* argument) {
            auto& self = *static_cast<BitWaiter*>(argument);
            self.outcome = error_of(call::futex_wait(native::address_of(&word), 0, abi::never, 0, self.bits));
        }, &waiter).value_or(nullptr);
        REQUIRE(waiter.thread);
    }
    // The one for 4 is there once it is moved, and only that: behind both others in the queue or not.
    while (wake_bits(&word, 0, 4, &other, 9) != std::uint64_t{1} << 32) (void)call::thread_yield();
    CHECK(wake_bits(&word, 9, 4) == 0 && wake_bits(&other, 9, 1) == 0);
    CHECK(waiters[2].outcome == -1);
    CHECK(wake_bits(&other, 9, 2) == 1); // it keeps its bits where it goes
    waiters[2].thread->join();
    while (wake_bits(&word, 9, 2) == 0) (void)call::thread_yield();
    waiters[1].thread->join();
    CHECK(waiters[0].outcome == -1);
    while (wake_bits(&word, 9, 0x80000001) == 0) (void)call::thread_yield();
    waiters[0].thread->join();
    for (const BitWaiter& waiter : waiters) CHECK(waiter.outcome == 0);
}
