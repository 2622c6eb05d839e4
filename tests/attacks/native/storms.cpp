// Processes that keep the node busy with interrupts between processors, locks and wake-ups, and take more time than they have. A neighbour goes on, and the limit holds.
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"
#include "tests/attacks/native/cell.hpp"

#include <algorithm>
#include <atomic>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t work_at = abi::heap_base + (1ull << 38), shared_at = abi::heap_base + (1ull << 37);
constexpr std::size_t stormers = 3;
constexpr std::uint64_t neighbours_rounds = 150;

// What all of them see.
struct Shared {
    std::atomic<std::uint64_t> over;
    std::atomic<std::uint64_t> turns[stormers];
};
Shared& shared() { return *reinterpret_cast<Shared*>(shared_at); }

// Maps and unmaps, so that all processors are asked to forget pages, changes processors, and wakes nobody at words that all share. given: its own.
std::uint64_t storm(std::uint64_t self) {
    const auto memory = call::memory_create(given(2), 4 * page, abi::memory_flag::populate);
    if (!memory) return 1;
    for (std::uint64_t turn = 0; shared().over == 0; ++turn) {
        (void)call::space_map(given(1), *memory, work_at, 0, 4 * page, protection::read | protection::write | abi::map_flag::populate);
        (void)call::space_protect(given(1), work_at, 2 * page, protection::read);
        (void)call::space_unmap(given(1), work_at, 4 * page);
        (void)call::futex_wake(shared_at + sizeof(std::uint64_t) * (turn % 16), 1, 2, 0, 0, native::any_futex_bits);
        if (turn % 8 == 0) (void)call::thread_choose(given(4), turn % 16 == 0 ? 1 : 0);
        ++shared().turns[self];
    }
    return 0;
}

// Does what everybody does: maps, writes, unmaps, wakes and is woken.
std::uint64_t live_on(std::uint64_t) {
    const auto bell = call::notification_create(given(2));
    if (!bell) return 1;
    for (std::uint64_t round = 0; round < neighbours_rounds; ++round) {
        if (!call::space_map(given(1), abi::no_handle, work_at, 0, 8 * page, protection::read | protection::write)) return 2;
        for (std::uint64_t i = 0; i < 8; ++i) *reinterpret_cast<volatile std::uint64_t*>(work_at + i * page) = round;
        if (!call::space_unmap(given(1), work_at, 8 * page)) return 3;
        if (!call::notification_signal(*bell, 1) || !call::notification_wait(*bell, abi::never)) return 4;
        if (round % 16 == 0) (void)call::thread_yield();
    }
    return 0;
}

// In one space: each has the lock of it while the others are told to forget its pages, and wait for that lock.
struct Unmapper {
    static constexpr std::uint64_t rounds = 2000;
    std::uint64_t at = native::reserve_range(4 * page).value_or(0);
    std::uint64_t done = 0;
    static void run(void* argument) {
        auto& self = *static_cast<Unmapper*>(argument);
        for (; self.done < rounds; ++self.done) {
            if (!call::space_map(space(), abi::no_handle, self.at, 0, 4 * page, protection::read | protection::write | abi::map_flag::populate)) return;
            if (!call::space_unmap(space(), self.at, 4 * page)) return;
        }
    }
};

// --- a limit
constexpr abi::BudgetParameters fifth{1024, 0, 20'000, 100'000, 0};

// Gives the processor up before anybody looks at the clock, over and over.
struct Thief {
    std::atomic<bool> over = false;
    static void run(void* argument) {
        auto& self = *static_cast<Thief*>(argument);
        while (!self.over) {
            for (volatile unsigned i = 0; i < 2000; i = i + 1) {}
            (void)call::thread_yield();
        }
    }
};

std::uint64_t used_by(native::Thread* const (&threads)[2]) {
    std::uint64_t sum = 0;
    for (native::Thread* const thread : threads) {
        abi::ThreadInfo info{};
        CHECK(call::thread_inspect(thread->handle(), info));
        sum += info.cpu_nanoseconds;
    }
    return sum;
}

} // namespace

KERNEL_USER_TEST(a_storm_stops_no_neighbour) {
    const native::Owned memory(call::memory_create(quota(), page, abi::memory_flag::populate).value_or(0));
    REQUIRE(memory);
    auto neighbour = Cell::create(quota());
    REQUIRE(neighbour && neighbour->give_itself());
    {
        base::Result<Cell> attackers[stormers] = {Cell::create(quota()), Cell::create(quota()), Cell::create(quota())};
        for (std::uint64_t i = 0; i < stormers; ++i) {
            REQUIRE(attackers[i] && attackers[i]->give_itself() && attackers[i]->share(memory.get(), shared_at, page));
            REQUIRE(attackers[i]->start(storm, i));
        }
        REQUIRE(neighbour->start(live_on, 0));
        const auto end = neighbour->wait();
        CHECK(end && end->reason == abi::EndReason::exit && end->status == 0);
        // Each had some turns, on however many of the host's processors the guest's are.
        for (Shared seen{}; std::ranges::any_of(seen.turns, [](std::uint64_t turns) { return turns <= 10; }); (void)call::thread_yield())
            CHECK(call::memory_read(memory.get(), 0, {reinterpret_cast<std::byte*>(&seen), sizeof seen}));
        const std::uint64_t one = 1;
        CHECK(call::memory_write(memory.get(), 0, std::as_bytes(std::span(&one, 1))));
        for (auto& attacker : attackers) {
            const auto last = attacker->wait();
            CHECK(last && last->reason == abi::EndReason::exit && last->status == 0);
        }
    }
}

KERNEL_USER_TEST(threads_that_unmap_at_once_come_through) {
    Unmapper unmappers[stormers];
    native::Thread* threads[stormers] = {};
    for (std::uint64_t i = 0; i < stormers; ++i) threads[i] = native::Thread::create(Unmapper::run, &unmappers[i]).value_or(nullptr);
    for (std::uint64_t i = 0; i < stormers; ++i) {
        REQUIRE(threads[i]);
        threads[i]->join();
        CHECK(unmappers[i].done == Unmapper::rounds);
        native::release_range(unmappers[i].at, 4 * page);
    }
}

// Time is charged where it is used, not where a clock happens to tick. A look may come late where the machine has other things to do; one of a few is right.
KERNEL_USER_TEST(a_limit_is_not_got_round_by_giving_up_the_processor) {
    const native::Owned limited(call::budget_create(quota(), budget(), fifth).value_or(0)), bell(call::notification_create(quota()).value_or(0));
    REQUIRE(limited);
    Thief thief;
    native::Thread* threads[2] = {};
    for (native::Thread*& thread : threads) thread = native::Thread::create(Thief::run, &thief, {.budget = limited.get()}).value_or(nullptr);
    REQUIRE(threads[0] && threads[1]);
    bool held = false;
    for (unsigned look = 0; look < 10 && !held; ++look) {
        const std::uint64_t begin = native::monotonic_nanoseconds(), before = used_by(threads);
        (void)call::notification_wait(bell.get(), native::after_milliseconds(1000));
        const std::uint64_t used = used_by(threads) - before, passed = native::monotonic_nanoseconds() - begin;
        held = used * 4 < passed;
        if (!held) native::print("used ", used, " of ", passed);
    }
    CHECK(held);
    thief.over = true;
    for (native::Thread* const thread : threads) thread->join();
}
