// Wake-ups that go to another processor: they are on their way for a while, and whom they are for may end, move or be one of many.
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/threads.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
using native::Owned;

namespace {

constexpr std::uint32_t resume = 3; // of thread_control

// Runs `work` on a thread of that budget, to its end.
template <class Work> void run_on(const Owned& where, Work& work) {
    auto thread = native::Thread::create([](void* argument) { (*static_cast<Work*>(argument))(); }, &work, {.budget = where.get()});
    REQUIRE(thread);
    (*thread)->join();
}

} // namespace

// The last reference to a thread that has ended may be that of a wake-up which nobody has looked at yet.
KERNEL_USER_TEST(a_wake_up_on_its_way_keeps_its_thread) {
    NEEDS_PROCESSORS(2);
    const Owned first_cpu = confined_to(1), second_cpu = confined_to(2);
    leaves_nothing_behind([&] {
        const auto threads = [] { return figures().object_count[static_cast<std::size_t>(abi::ObjectKind::thread)]; };
        auto wakes = [&, before = threads()] {
            for (unsigned round = 0; round < 300; ++round) {
                // Few at a time, for which there are stacks.
                REQUIRE(comes_true([&] { return threads() <= before + 4; }));
                const auto thread = call::thread_create(native::self().process, second_cpu.get());
                REQUIRE(thread && call::thread_start(*thread, reinterpret_cast<std::uint64_t>(&leave_at_once), abi::stack_base, 0));
                for (unsigned wakes = round % 16; wakes > 0; --wakes) (void)call::thread_control(*thread, resume);
                CHECK(call::handle_close(*thread));
            }
        };
        run_on(first_cpu, wakes);
    });
}

// More than are woken in one step.
KERNEL_USER_TEST(many_are_woken_on_another_processor) {
    NEEDS_PROCESSORS(2);
    constexpr unsigned sleepers = 150, rounds = 12;
    struct Crowd {
        std::uint32_t word = 0;
        std::atomic<unsigned> arrived = 0;
        static void sleep_through(void* argument) {
            auto& self = *static_cast<Crowd*>(argument);
            for (std::uint32_t round = 0; round < rounds; ++round) {
                ++self.arrived;
                while (__atomic_load_n(&self.word, __ATOMIC_ACQUIRE) == round) (void)native::futex_wait(&self.word, round);
            }
        }
    } crowd;
    const Owned first_cpu = confined_to(1), second_cpu = confined_to(2);
    native::Thread* threads[sleepers] = {};
    for (auto*& thread : threads) {
        thread = native::Thread::create(Crowd::sleep_through, &crowd, {.budget = second_cpu.get()}).value_or(nullptr);
        REQUIRE(thread);
    }
    auto wakes = [&] {
        for (std::uint32_t round = 0; round < rounds; ++round) {
            REQUIRE(comes_true([&] { return crowd.arrived == sleepers * (round + 1); }));
            __atomic_store_n(&crowd.word, round + 1, __ATOMIC_RELEASE);
            (void)native::futex_wake(&crowd.word, sleepers);
        }
    };
    run_on(first_cpu, wakes);
    for (auto* thread : threads) thread->join();
}

// A wake-up that comes to where its thread was goes after it.
KERNEL_USER_TEST(a_wake_up_follows_who_moves) {
    NEEDS_PROCESSORS(2);
    constexpr std::uint32_t rounds = 2'000;
    struct Wanderer {
        std::uint32_t word = 0;
        std::uint32_t seen = 0;
        static void run(void* argument) {
            auto& self = *static_cast<Wanderer*>(argument);
            for (std::uint32_t now = 0; now < rounds; now = __atomic_load_n(&self.word, __ATOMIC_ACQUIRE)) {
                __atomic_store_n(&self.seen, now, __ATOMIC_RELEASE);
                (void)native::futex_wake(&self.seen, 1);
                (void)native::futex_wait(&self.word, now);
            }
        }
    } wanderer;
    const Owned first_cpu = confined_to(1);
    auto thread = native::Thread::create(Wanderer::run, &wanderer);
    REQUIRE(thread);
    auto wakes = [&] {
        for (std::uint32_t round = 0; round < rounds; ++round) {
            std::uint32_t seen;
            while ((seen = __atomic_load_n(&wanderer.seen, __ATOMIC_ACQUIRE)) != round) (void)native::futex_wait(&wanderer.seen, seen);
            // Each change interrupts all processors; few enough to leave time for the rest.
            if (round % 8 == 0) CHECK(call::thread_choose((*thread)->handle(), 1ull << (round / 8 % 2)));
            __atomic_store_n(&wanderer.word, round + 1, __ATOMIC_RELEASE);
            (void)native::futex_wake(&wanderer.word, 1);
        }
    };
    run_on(first_cpu, wakes);
    (*thread)->join();
}
