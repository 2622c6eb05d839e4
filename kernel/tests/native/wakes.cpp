// Wake-ups that go to another processor: they are on their way for a while, and whom they are for may end, move or be one of many.
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/spinners.hpp"
#include "kernel/tests/native/threads.hpp"
#include "kernel/tests/native/turns.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
using native::Owned;

namespace {

using native::thread_operation::resume, native::thread_operation::suspend;

std::uint32_t processor_of(abi::Handle thread) {
    abi::ThreadInfo info{};
    CHECK(call::thread_inspect(thread, info));
    return info.cpu;
}

std::uint64_t threads_of_all() { return figures().object_count[static_cast<std::size_t>(abi::ObjectKind::thread)]; }

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
        auto wakes = [&, before = threads_of_all()] {
            for (unsigned round = 0; round < 300; ++round) {
                // Few at a time, for which there are stacks.
                REQUIRE(comes_true([&] { return threads_of_all() <= before + 4; }));
                const auto thread = call::thread_create(native::self().process, second_cpu.get());
                REQUIRE(thread && call::thread_start(*thread, reinterpret_cast<std::uint64_t>(&leave_at_once), abi::stack_base, 0));
                for (unsigned wakes = round % 16; wakes > 0; --wakes)
                    for (const auto operation : {suspend, resume}) (void)call::thread_control(*thread, operation);
                CHECK(call::handle_close(*thread));
            }
        };
        run_on(first_cpu, wakes);
    });
}

// More than are woken in one step. None of the wake-ups keeps whom it was for.
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
    const std::uint64_t before = threads_of_all();
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
    CHECK(comes_true([&] { return threads_of_all() <= before; }, 500));
}

// The sleeper is above the other one on its processor: each time that it were woken it would have a turn.
KERNEL_USER_TEST(a_resume_leaves_alone_who_is_not_suspended) {
    run_at(1, [](void*) {
        constexpr std::uint64_t resumes = 1'000;
        const Owned bell(call::notification_create(quota()).value_or(0)), high = of_priority(2);
        abi::Handle waited_for = bell.get();
        auto* const sleeper = start([](void* argument) { CHECK(call::notification_wait(*static_cast<abi::Handle*>(argument), abi::never)); }, high, &waited_for);
        REQUIRE(sleeper);
        const std::uint64_t before = figures().context_switches;
        for (std::uint64_t i = 0; i < resumes; ++i) CHECK(call::thread_control(sleeper->handle(), resume));
        CHECK(figures().context_switches - before < resumes);
        CHECK(call::notification_signal(bell.get(), 1));
        sleeper->join();
    });
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

// One whose time is used up, and that others wake as fast as they can, keeps nobody from its processor; and of so many wake-ups, told of while others are on their way, none keeps it.
KERNEL_USER_TEST(who_has_no_time_left_sleeps_whoever_wakes_it) {
    NEEDS_PROCESSORS(2);
    static std::atomic<bool> over;
    static abi::Handle woken;
    // Each pool on the way is looked at before it sleeps again.
    constexpr abi::BudgetParameters no_time{1024, 0, 1, 10'000'000, 1};
    const std::uint64_t before = threads_of_all();
    Owned pools[6];
    for (Owned& pool : pools) pool = Owned(call::budget_create(quota(), &pool == pools ? budget() : (&pool)[-1].get(), no_time).value_or(0));
    auto starved = spin(1, no_time, pools[5].get());
    const Owned second_cpu = confined_to(2), high(call::budget_create(quota(), budget(), {1024, 31, 0, 0, 1}).value_or(0));
    REQUIRE(starved && high);
    woken = starved->threads[0];
    for (const bool suspends : {false, true}) {
        over = false;
        auto* const waker = native::Thread::create(suspends ? [](void*) {
            while (!over)
                for (const auto operation : {suspend, resume}) CHECK(call::thread_control(woken, operation));
        } : [](void*) {
            while (!over) CHECK(call::thread_control(woken, resume));
        }, nullptr, {.budget = second_cpu.get()}).value_or(nullptr);
        REQUIRE(waker);
        auto naps = [] {
            for (int i = 0; i < 100; ++i) nap(1);
        };
        run_on(high, naps);
        over = true;
        waker->join();
    }
    starved->end();
    CHECK(comes_true([&] { return threads_of_all() <= before; }, 500));
}

// Who waits for its turn, and is to go elsewhere, interrupts nobody who computes there.
KERNEL_USER_TEST(who_waits_and_may_stay_no_more_goes_when_its_turn_comes) {
    NEEDS_PROCESSORS(2);
    const Owned second_cpu(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 2}).value_or(0));
    auto moved = spin(1, {1024, 0, 0, 0, 3}), computes = spin(1, {1024, 0, 0, 0, 1});
    REQUIRE(second_cpu && moved && computes);
    const abi::Handle thread = moved->threads[0];
    CHECK(call::thread_choose(thread, 2) && comes_true([&] { return processor_of(thread) == 1; }));
    // Above it on its processor.
    auto choose = [&] {
        CHECK(call::thread_choose(thread, 1));
        CHECK(processor_of(thread) == 1);
    };
    run_on(second_cpu, choose);
    CHECK(comes_true([&] { return processor_of(thread) == 0; }));
    moved->end();
    computes->end();
}
