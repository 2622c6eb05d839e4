// Which processor a thread runs on: idle ones take what waits elsewhere, a mask holds.
#include <algorithm>
#include <array>
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/spinners.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;

namespace {

std::uint32_t processors() { return figures().cpu_count; }

std::uint32_t processor_of(abi::Handle thread) {
    abi::ThreadInfo info{};
    CHECK(call::thread_inspect(thread, info));
    return info.cpu;
}

std::uint64_t where(const Spinners& spinners) {
    std::uint64_t mask = 0;
    for (unsigned i = 0; i < spinners.count; ++i) mask |= 1ull << processor_of(spinners.threads[i]);
    return mask;
}

// Whether the spinners come to be on just the processors of `mask`. The host may let one of them stand still for long.
bool come_to(const Spinners& spinners, std::uint64_t mask) {
    for (int look = 0; look < 3'000; ++look) {
        if (where(spinners) == mask) return true;
        sleep(10);
    }
    native::print("are on ", where(spinners), ", not on ", mask);
    return false;
}

// Whether there is a while in which `some` work and `others` do not: a processor that the host lets stand still may hear of a change late.
bool work_alone(const Spinners& some, const Spinners& others) {
    for (int look = 0; look < 10; ++look) {
        const std::uint64_t before = some.used(), before_others = others.used();
        sleep(500);
        if (others.used() == before_others && some.used() > before) return true;
    }
    return false;
}

constexpr abi::BudgetParameters on(std::uint64_t cpus) { return {1024, 0, 0, 0, cpus}; }

} // namespace

KERNEL_USER_TEST(a_confined_crowd_hides_nobody_from_idle_processors) {
    NEEDS_PROCESSORS(2);
    auto confined = spin(crowd, on(1));
    auto free = spin(2, on(1));
    REQUIRE(confined && free);
    CHECK(call::budget_configure(free->budget, on(3)));
    CHECK(come_to(*free, 3));
    free->end();
    confined->end();
}

// The others' load keeps them on the first processor until it ends.
KERNEL_USER_TEST(an_idle_processor_takes_what_waits) {
    NEEDS_PROCESSORS(2);
    const std::uint64_t all = (1ull << processors()) - 1;
    auto others = spin(4 * processors(), on(all & ~1ull));
    REQUIRE(others);
    auto spinners = spin(processors(), on(1));
    REQUIRE(spinners);
    CHECK(call::budget_configure(spinners->budget, on(0)));
    CHECK(where(*spinners) == 1);
    others->end();
    CHECK(come_to(*spinners, all));
    spinners->end();
}

// Nothing else interrupts the second processor meanwhile: this thread stays on the first one and asks there, again and again.
KERNEL_USER_TEST(an_idle_processor_is_told_of_who_waits) {
    NEEDS_PROCESSORS(2);
    struct Waker {
        abi::Handle wake = call::notification_create(quota()).value_or(0);
        std::atomic<bool> over = false;
        native::Thread* spinner = nullptr;
        bool was_elsewhere = false;

        static void spin_when_told(void* argument) {
            auto& self = *static_cast<Waker*>(argument);
            (void)call::notification_wait(self.wake, abi::never);
            while (!self.over) {}
        }
        static void run(void* argument) {
            auto& self = *static_cast<Waker*>(argument);
            sleep(50); // the others go idle
            CHECK(call::notification_signal(self.wake, 1));
            const std::uint64_t end = native::after_milliseconds(30'000);
            while (!self.was_elsewhere && native::monotonic_nanoseconds() < end) self.was_elsewhere = processor_of(self.spinner->handle()) != 0;
            self.over = true;
        }
    } waker;
    const auto first = call::budget_create(quota(), budget(), on(1)), any = call::budget_create(quota(), budget(), on(1));
    REQUIRE(waker.wake && first && any);
    waker.spinner = native::Thread::create(Waker::spin_when_told, &waker, {.budget = *any}).value_or(nullptr);
    REQUIRE(waker.spinner);
    sleep(20);
    CHECK(processor_of(waker.spinner->handle()) == 0);
    CHECK(call::budget_configure(*any, on(0)));
    const auto thread = native::Thread::create(Waker::run, &waker, {.budget = *first});
    REQUIRE(thread);
    (*thread)->join();
    waker.spinner->join();
    CHECK(waker.was_elsewhere);
    for (const abi::Handle handle : {waker.wake, *first, *any}) CHECK(call::handle_close(handle));
}

// Where many were is as good a place for new ones as where nobody ever was.
KERNEL_USER_TEST(who_left_is_no_load) {
    NEEDS_PROCESSORS(2);
    for (int round = 0; round < 4; ++round) {
        auto leave = spin(most_threads, on(1));
        REQUIRE(leave);
        CHECK(call::budget_configure(leave->budget, on(2)));
        CHECK(come_to(*leave, 2));
        leave->end();
    }
    // Neither is idle, and takes from the other.
    auto one = spin(1, on(1)), many = spin(most_threads, on(2));
    REQUIRE(one && many);
    auto fresh = spin(4, on(3));
    REQUIRE(fresh);
    CHECK(where(*fresh) == 1);
    for (auto* spinners : {&*one, &*many, &*fresh}) spinners->end();
}

KERNEL_USER_TEST(a_thread_is_never_taken_out_of_its_mask) {
    auto confined = spin(4, on(1));
    REQUIRE(confined);
    for (int look = 0; look < 50; ++look) {
        sleep(10);
        CHECK(where(*confined) == 1);
    }
    confined->end();
}

KERNEL_USER_TEST(a_mask_reaches_threads_that_run_and_that_wait) {
    NEEDS_PROCESSORS(2);
    const std::uint64_t all = (1ull << processors()) - 1;
    auto spinners = spin(most_threads, on(1));
    REQUIRE(spinners);
    CHECK(call::budget_configure(spinners->budget, on(2)));
    CHECK(come_to(*spinners, 2));
    for (int look = 0; look < 20; ++look) {
        sleep(10);
        CHECK(where(*spinners) == 2);
    }
    const std::uint64_t before = spinners->used();
    CHECK(comes_true([&] { return spinners->used() > before; }));
    CHECK(call::budget_configure(spinners->budget, on(0)));
    CHECK(come_to(*spinners, all));
    // One of them alone, within what the budget has.
    CHECK(call::thread_choose(spinners->threads[0], 1));
    // Where it is ready on the other one it stays there until its turn comes, and runs here.
    CHECK(comes_true([&] { return processor_of(spinners->threads[0]) == 0; }));
    for (int look = 0; look < 20; ++look) {
        sleep(10);
        CHECK(processor_of(spinners->threads[0]) == 0);
    }
    CHECK(call::budget_configure(spinners->budget, on(2)));
    CHECK(come_to(*spinners, 2));
    spinners->end();
}

KERNEL_USER_TEST(a_mask_reaches_a_thread_that_sleeps) {
    NEEDS_PROCESSORS(2);
    struct Sleeper {
        abi::Handle wake = 0;
        abi::Handle thread = 0;
        std::uint32_t woke_on = ~0u;
        static void run(void* argument) {
            Sleeper& self = *static_cast<Sleeper*>(argument);
            (void)call::notification_wait(self.wake, abi::never);
            self.woke_on = processor_of(self.thread);
        }
    } sleeper;
    sleeper.wake = call::notification_create(quota()).value_or(0);
    auto thread = native::Thread::create(Sleeper::run, &sleeper);
    REQUIRE(thread);
    sleeper.thread = (*thread)->handle();
    sleep(10);
    const std::uint32_t other = processor_of(sleeper.thread) == 0 ? 1 : 0;
    CHECK(call::thread_choose(sleeper.thread, 1ull << other));
    CHECK(call::notification_signal(sleeper.wake, 1));
    (*thread)->join();
    CHECK(sleeper.woke_on == other);
    CHECK(call::handle_close(sleeper.wake));
}

// The first processor has nothing to do meanwhile, and would halt and be interrupted each time.
KERNEL_USER_TEST(a_choice_interrupts_no_processor_but_ones_own) {
    NEEDS_PROCESSORS(2);
    static constexpr std::uint64_t choices = 1'000;
    struct Chooser {
        std::atomic<abi::Handle> own = 0;
        std::uint64_t interrupts = 0;
        static void run(void* argument) {
            auto& self = *static_cast<Chooser*>(argument);
            while (self.own == 0) {}
            for (const std::uint32_t cpu : {0u, 1u}) {
                CHECK(call::thread_choose(self.own, 1ull << cpu));
                CHECK(processor_of(self.own) == cpu);
            }
            // Few more than none if it is not idle yet.
            const std::uint64_t before = figures().idle_wakeups[0];
            for (std::uint64_t i = 0; i < choices; ++i) CHECK(call::thread_choose(self.own, i % 2 == 0 ? 3 : 2));
            self.interrupts = figures().idle_wakeups[0] - before;
            CHECK(processor_of(self.own) == 1);
        }
    } chooser;
    const auto its_budget = call::budget_create(quota(), budget(), on(3));
    REQUIRE(its_budget);
    auto thread = native::Thread::create(Chooser::run, &chooser, {.budget = *its_budget});
    REQUIRE(thread);
    chooser.own = (*thread)->handle();
    (*thread)->join();
    native::print("a processor was interrupted ", chooser.interrupts, " times by ", choices, " choices of another one's thread");
    CHECK(chooser.interrupts < choices / 10);
    CHECK(call::handle_close(*its_budget));
}

// One of them runs, the others are ready or on their way.
KERNEL_USER_TEST(choices_are_heeded_whatever_a_thread_does) {
    NEEDS_PROCESSORS(2);
    auto spinners = spin(8, on(3)), others = spin(2, on(3));
    REQUIRE(spinners && others);
    for (unsigned round = 0; round < 200; ++round) {
        for (unsigned i = 0; i < spinners->count; ++i) CHECK(call::thread_choose(spinners->threads[i], round % 2 + 1));
        if (round % 8 < 2) CHECK(come_to(*spinners, round % 2 + 1));
    }
    const std::uint64_t before = spinners->used();
    CHECK(comes_true([&] { return spinners->used() > before; }));
    others->end();
    spinners->end();
}

KERNEL_USER_TEST(a_budget_has_what_those_above_it_have) {
    const auto parent = call::budget_create(quota(), budget(), on(1));
    REQUIRE(parent);
    CHECK_ERROR(call::budget_create(quota(), *parent, on(2)), bad_argument);
    CHECK_ERROR(call::budget_create(quota(), budget(), on(1ull << 63)), bad_argument);
    auto child = spin(2, on(0), *parent);
    REQUIRE(child);
    CHECK(where(*child) == 1);
    CHECK_ERROR(call::budget_configure(child->budget, on(2)), bad_argument);
    CHECK_ERROR(call::thread_choose(child->threads[0], 2), bad_argument);
    if (processors() > 1) {
        CHECK(call::budget_configure(child->budget, on(3)));
        sleep(50);
        CHECK(where(*child) == 1);
        CHECK(call::budget_configure(*parent, on(2)));
        CHECK(come_to(*child, 2));
    }
    child->end();
    CHECK(call::handle_close(*parent));
}

// This thread must not wait behind them: it needs a second processor.
KERNEL_USER_TEST(a_priority_reaches_threads_that_run_and_that_wait) {
    NEEDS_PROCESSORS(2);
    auto usual = spin(3, on(2)), better = spin(3, on(2));
    REQUIRE(usual && better);
    CHECK(call::budget_configure(better->budget, {1024, 1, 0, 0, 2}));
    CHECK(work_alone(*better, *usual));
    CHECK(call::budget_configure(usual->budget, {1024, 2, 0, 0, 2}));
    CHECK(work_alone(*usual, *better));
    usual->end();
    better->end();
}

// The same: those who sleep until one time after the other take little from whoever runs meanwhile.
KERNEL_USER_TEST(bounded_interrupts_of_sleepers) {
    if (native::argument("bounded_cpus") != "1") return skip("it counts instructions of a single processor");
    constexpr unsigned sleepers = 150;
    constexpr std::uint64_t apart = 4'000, a_look = 1'500; // nanoseconds: from one deadline to the next; longer than one look at the clock takes, and shorter than an interrupt that wakes somebody
    static std::atomic<std::uint64_t> begin;
    static std::atomic<unsigned> next;
    begin = native::after_milliseconds(200);
    next = 0;
    const auto below = call::budget_create(quota(), budget(), on(1));
    auto parameters = on(1);
    parameters.priority = 1;
    const auto above = call::budget_create(quota(), budget(), parameters);
    REQUIRE(below && above);
    std::array<native::Thread*, sleepers> threads{};
    for (native::Thread*& thread : threads)
        thread = native::Thread::create([](void*) {
            const abi::Handle never_signaled = call::notification_create(quota()).value_or(0);
            (void)call::notification_wait(never_signaled, begin + next++ * apart);
            (void)call::handle_close(never_signaled);
        }, nullptr, {.budget = *below}).value_or(nullptr);
    struct Watcher {
        unsigned gaps = 0;
        static void run(void* argument) {
            const std::uint64_t end = begin + sleepers * apart;
            for (std::uint64_t last = begin, now; (now = native::monotonic_nanoseconds()) < end; last = now)
                if (now > begin && last >= begin && now - last > a_look) ++static_cast<Watcher*>(argument)->gaps;
        }
    } watcher;
    auto thread = native::Thread::create([](void* argument) {
        const abi::Handle never_signaled = call::notification_create(quota()).value_or(0);
        (void)call::notification_wait(never_signaled, begin - 1'000'000);
        (void)call::handle_close(never_signaled);
        Watcher::run(argument);
    }, &watcher, {.budget = *above});
    REQUIRE(thread);
    (*thread)->join();
    for (native::Thread* const one : threads) {
        REQUIRE(one);
        one->join();
    }
    native::print("bounded interrupts of ", sleepers, " sleepers: ", watcher.gaps);
    CHECK(watcher.gaps >= 1 && watcher.gaps <= sleepers * apart / 50'000 + 4);
    for (const abi::Handle handle : {*below, *above}) CHECK(call::handle_close(handle));
}

// Under icount alone (see bounded.cpp): who sleeps beside threads that only compute, all on one processor, runs soon when it wakes. There is no other one: where the first of several
// computes without an end, QEMU gives the others no turn.
KERNEL_USER_TEST(bounded_wake_beside_many_that_compute) {
    if (native::argument("bounded_cpus") != "1") return skip("it counts instructions of a single processor");
    struct Sleeper {
        std::uint64_t worst = 0;
        static void run(void* argument) {
            std::uint64_t& worst = static_cast<Sleeper*>(argument)->worst;
            const abi::Handle never_signaled = call::notification_create(quota()).value_or(0);
            for (int nap = 0; nap < 50; ++nap) {
                const std::uint64_t due = native::after_milliseconds(7);
                (void)call::notification_wait(never_signaled, due);
                worst = std::max(worst, native::monotonic_nanoseconds() - due);
            }
            (void)call::handle_close(never_signaled);
        }
    };
    for (const unsigned count : {1u, crowd}) {
        auto spinners = spin(count, on(1));
        REQUIRE(spinners);
        Sleeper sleeper;
        const auto its_budget = call::budget_create(quota(), budget(), on(1));
        REQUIRE(its_budget);
        auto thread = native::Thread::create(Sleeper::run, &sleeper, {.budget = *its_budget});
        REQUIRE(thread);
        (*thread)->join();
        native::print("bounded wake beside ", count, ": ", sleeper.worst, " ns late");
        CHECK(sleeper.worst < 10'000'000);
        spinners->end();
        CHECK(call::handle_close(*its_budget));
    }
}
