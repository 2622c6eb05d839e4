// What TLBs remember: several guest halves of one sandbox on all processors, while what they show is replaced.
#include <algorithm>
#include <array>
#include <atomic>
#include <span>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/spinners.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t own_at = abi::heap_base + (1ull << 38); // in the personality half, which all share
constexpr std::uint64_t guest_at = 0x600000;
constexpr std::uint64_t rounds = 60;
constexpr unsigned most_walkers = 12;

volatile std::uint64_t& word_at(std::uint64_t address) { return *reinterpret_cast<volatile std::uint64_t*>(address); }

std::atomic<std::uint64_t> replaced_own = 0; // the number that the page has had since
std::atomic<bool> over = false;

// Looks at the page of the sandbox and at that of its own guest half, over and over, and lets its processor go to the next one, which has another root.
struct Walker {
    abi::Handle space = 0;
    native::Thread* thread = nullptr;
    std::atomic<std::uint64_t> replaced_guest = 0;
    std::atomic<std::uint64_t> looks = 0;
    std::atomic<std::uint64_t> stale = 0;

    static void run(void* argument) {
        auto& self = *static_cast<Walker*>(argument);
        if (!call::restricted_attach(self.space)) self.stale = 1'000'000;
        while (!over) {
            for (int i = 0; i < 5'000; ++i) {
                const std::uint64_t own = replaced_own, guest = self.replaced_guest;
                if (word_at(own_at) < own || word_at(guest_at) < guest) ++self.stale;
            }
            ++self.looks;
            (void)call::thread_yield();
        }
        (void)call::restricted_attach(0);
    }
};

bool put(abi::Handle into, std::uint64_t at, std::uint64_t number) {
    const auto memory = call::memory_create(quota(), page, 0);
    if (!memory) return false;
    bool good = call::memory_write(*memory, 0, {reinterpret_cast<const std::byte*>(&number), sizeof number}).has_value();
    good &= call::space_map(into, *memory, at, 0, page, protection::read | abi::map_flag::replace).has_value();
    return call::handle_close(*memory).has_value() && good;
}

} // namespace

// More of them than processors, so that each changes between roots all the time, and meets pages again that were replaced while it was elsewhere.
KERNEL_USER_TEST(no_processor_uses_a_page_that_was_replaced) {
    const unsigned count = std::min(2 * figures().cpu_count + 1, most_walkers);
    static Walker walkers[most_walkers];
    over = false;
    replaced_own = 0;
    REQUIRE(put(space(), own_at, 0));
    for (unsigned i = 0; i < count; ++i) {
        walkers[i].space = call::space_create(quota(), 0).value_or(0);
        REQUIRE(put(walkers[i].space, guest_at, 0));
        walkers[i].thread = native::Thread::create(Walker::run, &walkers[i]).value_or(nullptr);
        REQUIRE(walkers[i].thread);
    }
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        CHECK(put(space(), own_at, round));
        replaced_own = round;
        Walker& walker = walkers[round % count];
        CHECK(put(walker.space, guest_at, round));
        walker.replaced_guest = round;
        // Each has seen this round's before the next one comes.
        for (unsigned i = 0; i < count; ++i) {
            for (const std::uint64_t before = walkers[i].looks; walkers[i].looks < before + 2;) (void)call::thread_yield();
        }
    }
    over = true;
    for (unsigned i = 0; i < count; ++i) {
        walkers[i].thread->join();
        CHECK(walkers[i].stale == 0);
        CHECK(call::handle_close(walkers[i].space));
    }
    CHECK(call::space_unmap(space(), own_at, page));
}

namespace {

constexpr std::uint64_t table_bytes = 2ull << 20; // what one table of pages shows

constexpr abi::BudgetParameters on(std::uint64_t cpus) { return {1024, 0, 0, 0, cpus}; }

// Where a thread waits until another one opens it, which can tell when it does: who waits is moved to another word and back.
class Gate {
public:
    void wait() {
        while (shut_ == 1) (void)native::futex_wait(&shut_, 1);
        shut_ = 1;
    }
    void until_somebody_waits() {
        while (!move(shut_, elsewhere_)) (void)call::thread_yield();
        CHECK(move(elsewhere_, shut_));
    }
    void open() {
        shut_ = 0;
        native::futex_wake(&shut_, 1);
    }

private:
    using Word = std::atomic<std::uint32_t>;
    static bool move(const Word& from, const Word& to) {
        return call::futex_wake(reinterpret_cast<std::uint64_t>(&from), 0, 0, reinterpret_cast<std::uint64_t>(&to), 1, native::any_futex_bits).value_or(0) == std::uint64_t{1} << 32;
    }
    Word shut_ = 1, elsewhere_ = 1;
};

// A thread on the first processor that looks each time it is told to, and sleeps in between.
struct Sleeper {
    abi::Handle space = 0;
    Gate gate;
    std::atomic<bool> over = false;
    std::atomic<std::uint64_t> own = 0, guest = 0;

    static void run(void* argument) {
        auto& self = *static_cast<Sleeper*>(argument);
        CHECK(call::restricted_attach(self.space));
        while (!self.over) {
            self.own = word_at(own_at);
            self.guest = word_at(guest_at);
            self.gate.wait();
        }
        CHECK(call::restricted_attach(0));
    }
    void look_again() {
        gate.open();
        gate.until_somebody_waits();
    }
};

// The frames that came back last, with what is no table in them.
base::Result<abi::Handle> take_what_is_free() {
    static constexpr std::uint64_t nonsense[] = {0x6666'6666'6667, 0x6666'6666'6667}, bytes = 64 * page;
    const auto memory = TRY(call::memory_create(quota(), bytes, abi::memory_flag::populate));
    for (std::uint64_t at = 0; at < bytes; at += sizeof nonsense) TRY(call::memory_write(memory, at, std::as_bytes(std::span(nonsense))));
    return memory;
}

// The rest of a test, on a processor of its own.
void run_on(std::uint64_t cpus, void (*entry)(void*), void* argument) {
    const auto budget = call::budget_create(quota(), kernel_test::budget(), on(cpus));
    REQUIRE(budget);
    const auto thread = native::Thread::create(entry, argument, {.budget = *budget});
    REQUIRE(thread);
    (*thread)->join();
    CHECK(call::handle_close(*budget));
}

} // namespace

// Nothing else runs: the thread that slept is the next one.
KERNEL_USER_TEST(a_processor_that_was_idle_loads_no_root_for_the_same_thread) {
    static Gate gate;
    const auto first = call::budget_create(quota(), budget(), on(1));
    REQUIRE(first);
    const auto thread = native::Thread::create([](void*) {
        constexpr unsigned sleeps = 50;
        const auto nothing = call::notification_create(quota());
        REQUIRE(nothing);
        gate.until_somebody_waits();
        const std::uint64_t before = figures().root_loads, switches = figures().context_switches;
        // A processor that its host lets stand still may find a deadline over before it sleeps.
        for (unsigned i = 0; i < 100 * sleeps && figures().context_switches < switches + 2 * sleeps; ++i)
            CHECK_ERROR(call::notification_wait(*nothing, native::after_milliseconds(1)), timed_out);
        CHECK(figures().context_switches >= switches + 2 * sleeps);
        CHECK(figures().root_loads == before);
        CHECK(call::handle_close(*nothing));
        gate.open();
    }, nullptr, {.budget = *first});
    REQUIRE(thread);
    gate.wait();
    (*thread)->join();
    CHECK(call::handle_close(*first));
}

// Neither the sandbox' page nor the guest half's; in every second pair of rounds the table that led to it goes too.
KERNEL_USER_TEST(a_processor_that_was_idle_uses_no_page_that_was_replaced) {
    NEEDS_PROCESSORS(2);
    static Sleeper sleeper;
    sleeper.over = false;
    sleeper.space = call::space_create(quota(), 0).value_or(0);
    REQUIRE(sleeper.space && put(space(), own_at, 0) && put(sleeper.space, guest_at, 0));
    const auto first = call::budget_create(quota(), budget(), on(1));
    REQUIRE(first);
    const auto thread = native::Thread::create(Sleeper::run, &sleeper, {.budget = *first});
    REQUIRE(thread);
    run_on(2, [](void*) {
        sleeper.gate.until_somebody_waits();
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            // Nothing was changed: it looks without a load.
            const std::uint64_t loads = figures().root_loads;
            sleeper.look_again();
            CHECK(figures().root_loads == loads);
            const bool in_own = round % 2 == 0;
            const abi::Handle half = in_own ? space() : sleeper.space;
            const std::uint64_t at = in_own ? own_at : guest_at;
            if (round % 4 < 2) CHECK(call::space_unmap(half, at & ~(table_bytes - 1), table_bytes));
            CHECK(put(half, at, round));
            sleeper.look_again();
            CHECK((in_own ? sleeper.own : sleeper.guest) == round);
        }
        sleeper.over = true;
        sleeper.gate.open();
    }, nullptr);
    (*thread)->join();
    for (const auto handle : {sleeper.space, *first}) CHECK(call::handle_close(handle));
    CHECK(call::space_unmap(space(), own_at, page));
}

// A thread sleeps on the second processor and ends on the first: the tables that the second one rested on are free, and others' before it has anything to run again.
KERNEL_USER_TEST(a_processor_that_was_idle_has_no_root_of_a_process_that_ended) {
    NEEDS_PROCESSORS(2);
    static const auto use_and_end = [](unsigned rounds) {
        for (unsigned round = 0; round < rounds; ++round) {
            auto spinner = spin(1, on(2));
            REQUIRE(spinner);
            // Its time is counted when it stops: whose is not zero has run, and is suspended.
            const auto has_run = [&] { return spinner->used() != 0; };
            for (bool stopped = false; !stopped;) {
                CHECK(call::thread_control(spinner->threads[0], native::thread_operation::suspend));
                for (int turn = 0; turn < 1'000 && !stopped; ++turn) {
                    (void)call::thread_yield();
                    stopped = has_run();
                }
                if (!stopped) CHECK(call::thread_control(spinner->threads[0], native::thread_operation::resume));
            }
            CHECK(call::budget_configure(spinner->budget, on(1)));
            spinner->end();
            // Whose tables they were matters to nobody who goes on there.
            const auto filled = take_what_is_free();
            REQUIRE(filled);
            static std::uint32_t where;
            where = 0;
            run_on(2, [](void*) { where = 2; }, nullptr);
            CHECK(where == 2);
            CHECK(call::handle_close(*filled));
        }
    };
    run_on(1, [](void*) {
        use_and_end(4); // what is kept to be used again is there by then
        leaves_nothing_behind([] { use_and_end(20); });
    }, nullptr);
}

// The same with a guest half that has no tables but its roots: nothing is told before its end. The next one may lie where it lay, and has as few changes behind it.
KERNEL_USER_TEST(a_processor_that_was_idle_has_no_root_of_a_guest_half_that_ended) {
    NEEDS_PROCESSORS(2);
    run_on(1, [](void*) {
        struct User {
            abi::Handle space = 0;
            Gate gate;
            std::uint64_t read = 0;
            static void sleep_in_it(void* argument) {
                auto& self = *static_cast<User*>(argument);
                CHECK(call::restricted_attach(self.space));
                self.gate.wait();
                CHECK(call::restricted_attach(0));
            }
            static void look(void* argument) {
                auto& self = *static_cast<User*>(argument);
                CHECK(call::restricted_attach(self.space));
                self.read = word_at(guest_at);
                CHECK(call::restricted_attach(0));
            }
        };
        static User user;
        for (std::uint64_t round = 1; round <= 16; ++round) {
            user.space = call::space_create(quota(), 0).value_or(0);
            const auto its_budget = call::budget_create(quota(), budget(), on(2));
            REQUIRE(user.space && its_budget);
            const auto thread = native::Thread::create(User::sleep_in_it, &user, {.budget = *its_budget});
            REQUIRE(thread);
            user.gate.until_somebody_waits();
            CHECK(call::budget_configure(*its_budget, on(1)));
            user.gate.open();
            (*thread)->join();
            CHECK(call::handle_close(user.space));
            const auto filled = take_what_is_free();
            user.space = call::space_create(quota(), 0).value_or(0);
            REQUIRE(filled && user.space && put(user.space, guest_at, round));
            run_on(2, User::look, &user);
            CHECK(user.read == round);
            for (const auto handle : {*filled, user.space, *its_budget}) CHECK(call::handle_close(handle));
        }
    }, nullptr);
}

// Its last thread is slowed down by its many handles, and shares its processor: it leaves that processor and comes back to it while the process ends. Whoever else holds the space frees it
// as soon as the process has ended, while that thread still goes through those that watched. The kernel with checks looks for processors that use the root.
KERNEL_USER_TEST(a_processor_has_no_root_of_the_process_that_ends_there) {
    NEEDS_PROCESSORS(2);
    static constexpr unsigned char leave[] = {0x31, 0xff, 0xb8, static_cast<unsigned char>(abi::KernelCall::process_exit), 0, 0, 0, 0x0f, 0x05}; // xor %edi,%edi; mov $number,%eax; syscall
    static constexpr unsigned handles = 10'000, watches = 500;
    static std::array<abi::Handle, watches> watching;
    for (auto& each : watching) each = call::notification_create(quota()).value_or(0);
    run_on(1, [](void*) {
        for (unsigned round = 0; round < 12; ++round) {
            auto company = spin(1, on(2));
            REQUIRE(company);
            const auto process = call::process_create(quota(), company->budget);
            REQUIRE(process);
            const auto its_space = call::process_space(*process);
            const auto memory = call::memory_create(quota(), page, 0);
            REQUIRE(its_space && memory && call::memory_write(*memory, 0, std::as_bytes(std::span(leave))));
            CHECK(call::space_map(*its_space, *memory, code_at, 0, page, protection::read | protection::execute));
            for (unsigned i = 0; i < handles; ++i) CHECK(call::process_grant(*process, *memory, 0, 0));
            for (const auto each : watching) CHECK(call::process_watch(*process, each, 1));
            const auto thread = call::thread_create(*process, company->budget);
            REQUIRE(thread && call::thread_start(*thread, code_at, abi::stack_base, 0));
            abi::ProcessInfo info{};
            while (call::process_inspect(*process, info) && info.state != abi::ProcessState::ended) continue;
            CHECK(call::handle_close(*its_space));
            for (const auto handle : {*memory, *thread, *process}) CHECK(call::handle_close(handle));
            company->end();
        }
    }, nullptr);
    for (const auto each : watching) CHECK(call::handle_close(each));
}
