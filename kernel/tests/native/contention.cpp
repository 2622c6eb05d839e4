// Threads that work on the same ranges of one space at once.
#include <algorithm>
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr abi::Protection read_write = protection::read | protection::write;
constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t from = 1ull << 30;

// Two threads of one CPU, of which the better one comes again and again while the other is in the middle of a range.
struct Rivals {
    static constexpr std::uint64_t size = 256 * page;
    static constexpr unsigned rounds = 300;
    abi::Handle space = 0;
    std::atomic<unsigned> done = 0;
    std::atomic<bool> good = true;

    bool map_and_unmap() {
        // The other one may have put its own there.
        const auto mapped = call::space_map(space, 0, from, 0, size, read_write | abi::map_flag::replace | abi::map_flag::populate);
        return (mapped || error_of(mapped) == static_cast<std::int32_t>(abi::Error::bad_pointer)) && call::space_unmap(space, from, size);
    }
    static void run_high(void* argument) {
        auto& self = *static_cast<Rivals*>(argument);
        const auto never_signaled = call::notification_create(quota());
        for (unsigned i = 0; i < rounds; ++i) {
            (void)call::notification_wait(*never_signaled, native::monotonic_nanoseconds() + 20'000 + i % 50 * 1'000);
            if (!self.map_and_unmap()) self.good = false;
            ++self.done;
        }
        (void)call::handle_close(*never_signaled);
    }
    static void run_low(void* argument) {
        auto& self = *static_cast<Rivals*>(argument);
        while (self.done < rounds) {
            if (!self.map_and_unmap()) self.good = false;
        }
    }
};

// One space and those who work on it, at ranges that overlap.
struct Crowd {
    enum Call { map, unmap, protect, move, fork, map_leased, map_copied, seal, resize, calls };
    static constexpr std::uint64_t unit = 8 * page, units = 64;
    static constexpr unsigned rounds = 150;
    abi::Handle quota = 0; // pays for the space and all that comes into it, and for nothing else
    abi::Handle space = 0;
    std::atomic<unsigned> done[calls] = {};
    std::atomic<unsigned> without_memory = 0;

    bool all_done() const {
        return std::ranges::all_of(done, [](const auto& each) { return each != 0; });
    }
    template <class Result> void count(Call call, const Result& result) {
        if (result) ++done[call];
        if (error_of(result) == static_cast<std::int32_t>(abi::Error::no_memory)) ++without_memory;
    }
};

struct Member {
    Crowd& crowd;
    std::uint64_t state;

    std::uint64_t next(std::uint64_t below) {
        state = state * 6364136223846793005 + 1442695040888963407;
        return (state >> 33) % below;
    }
    // Which of the calls are refused is for the others to decide.
    void step() {
        const std::uint64_t length = (1 + next(8)) * Crowd::unit, at = from + next(Crowd::units) * Crowd::unit, other = from + next(Crowd::units) * Crowd::unit;
        const std::uint32_t populate = next(2) ? abi::map_flag::populate : 0;
        switch (next(8)) {
        case 0: crowd.count(Crowd::map, call::space_map(crowd.space, 0, at, 0, length, read_write | abi::map_flag::replace | populate)); break;
        case 1: crowd.count(Crowd::unmap, call::space_unmap(crowd.space, at, length)); break;
        case 2: crowd.count(Crowd::protect, call::space_protect(crowd.space, at, length, next(2) ? read_write : protection::read)); break;
        case 3: crowd.count(Crowd::move, call::space_move(crowd.space, at, other, length)); break;
        case 4: {
            const auto copy = call::space_fork(crowd.space, crowd.quota);
            crowd.count(Crowd::fork, copy);
            if (copy) (void)call::handle_close(*copy);
            break;
        }
        default: with_memory(at, other, length); break;
        }
    }
    void with_memory(std::uint64_t at, std::uint64_t other, std::uint64_t length) {
        const auto lease = call::lease_create(crowd.quota, 0);
        const auto memory = call::memory_create(crowd.quota, length, abi::memory_flag::populate);
        if (lease && memory) {
            if (const auto leased = call::handle_duplicate(*memory, 0, 0, *lease)) {
                crowd.count(Crowd::map_leased, call::space_map(crowd.space, *leased, at, 0, length, read_write | abi::map_flag::replace));
                const std::uint32_t copied = next(2) ? abi::map_flag::copy_on_write : 0;
                crowd.count(Crowd::map_copied, call::space_map(crowd.space, *memory, other, 0, length, read_write | copied));
                (void)call::handle_close(*leased);
            }
            const std::uint64_t end = next(3);
            if (end == 0) crowd.count(Crowd::seal, call::memory_seal(*memory));
            if (end == 1) crowd.count(Crowd::resize, call::memory_resize(*memory, page));
            (void)call::lease_revoke(*lease);
        }
        if (lease) (void)call::handle_close(*lease);
        if (memory) (void)call::handle_close(*memory);
    }
    static void run(void* argument) {
        auto& self = *static_cast<Member*>(argument);
        // In which order they come decides who is refused: as long as it takes until each call was granted once.
        for (unsigned i = 0; i < Crowd::rounds || (i < 100 * Crowd::rounds && !self.crowd.all_done()); ++i) self.step();
    }
};

void crowd_within(std::uint64_t limit, bool enough) {
    const auto payer = call::quota_create(quota(), limit);
    REQUIRE(payer);
    const auto space = call::space_create(*payer, 0);
    REQUIRE(space);
    Crowd crowd{*payer, *space};
    Member members[] = {{crowd, 1}, {crowd, 2}, {crowd, 3}, {crowd, 4}};
    native::Thread* threads[4] = {};
    for (int i = 0; i < 4; ++i) threads[i] = native::Thread::create(Member::run, &members[i]).value_or(nullptr);
    for (auto* thread : threads) {
        CHECK(thread);
        if (thread) thread->join();
    }
    CHECK(crowd.all_done());
    CHECK(enough || crowd.without_memory != 0);
    CHECK(call::space_unmap(*space, from, (Crowd::units + 8) * Crowd::unit));
    CHECK(call::handle_close(*space));
    abi::QuotaInfo left = {};
    CHECK(call::quota_inspect(*payer, left));
    CHECK(left.used_pages == 0 && left.table_pages == 0);
    for (const std::uint64_t count : left.object_count) CHECK(count == 0);
    CHECK(call::handle_close(*payer));
}

// Two that pass a signal to and fro, each after a while of its own: it comes before, while, and after the other one begins to wait.
struct Players {
    static constexpr unsigned rounds = 20'000;
    static constexpr std::uint64_t patience = 100'000'000'000;
    abi::Handle notifications[2] = {};
    std::atomic<unsigned> lost = 0;

    void play(unsigned self) {
        for (unsigned i = 0; i < rounds && lost == 0; ++i) {
            for (unsigned idle = i * (self ? 7 : 13) % 97; idle > 0; --idle) asm volatile("pause");
            if (self == 0) (void)call::notification_signal(notifications[1], 1);
            const auto bits = call::notification_wait(notifications[self], native::monotonic_nanoseconds() + patience);
            if (!bits || *bits != 1) ++lost;
            if (self == 1) (void)call::notification_signal(notifications[0], 1);
        }
    }
};

} // namespace

KERNEL_USER_TEST(no_signal_is_lost_where_a_wait_begins) {
    NEEDS_PROCESSORS(2);
    Players players;
    for (auto& handle : players.notifications) handle = call::notification_create(quota()).value_or(0);
    auto* const other = native::Thread::create([](void* argument) { static_cast<Players*>(argument)->play(1); }, &players).value_or(nullptr);
    REQUIRE(other);
    players.play(0);
    other->join();
    CHECK(players.lost == 0);
    for (const auto handle : players.notifications) CHECK(call::handle_close(handle));
}

// Were the better thread to wait awake, the other would never come to its end.
KERNEL_USER_TEST(a_better_thread_waits_for_a_range_asleep) {
    Rivals rivals;
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(guest);
    rivals.space = *guest;
    abi::Handle budgets[2] = {};
    for (std::uint32_t i = 0; i < 2; ++i) budgets[i] = call::budget_create(quota(), budget(), abi::BudgetParameters{1024, i ? 20u : 1u, 0, 0, 1}).value_or(0);
    REQUIRE(budgets[0] && budgets[1]);
    auto* const low = native::Thread::create(Rivals::run_low, &rivals, {.budget = budgets[0]}).value_or(nullptr);
    auto* const high = native::Thread::create(Rivals::run_high, &rivals, {.budget = budgets[1]}).value_or(nullptr);
    REQUIRE(low && high);
    high->join();
    low->join();
    CHECK(rivals.good && rivals.done == Rivals::rounds);
    for (const auto handle : {*guest, budgets[0], budgets[1]}) CHECK(call::handle_close(handle));
}

// The quota's own figures, not the root's: that one pays for the threads' stacks as well, of which some are kept for those who come next.
KERNEL_USER_TEST(a_crowd_on_one_space_leaves_nothing_behind) { crowd_within(1 << 16, true); }

// Calls fail in the middle for want of memory as well.
KERNEL_USER_TEST(a_crowd_that_lacks_memory_leaves_nothing_behind) { crowd_within(120, false); }
