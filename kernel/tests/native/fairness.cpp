// A budget's part is its own, however its threads come and go: what is fair between two spinning threads (budgets.cpp) holds for threads that take turns, end soon or wake together.
#include <algorithm>
#include <array>
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/spinners.hpp"
#include "kernel/tests/native/threads.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
using native::Owned;

namespace {

constexpr int looks = 5;
constexpr std::uint64_t millisecond = native::nanoseconds_per_millisecond;

// Turns of a loop that take the processor about a millisecond, whoever runs in between.
std::uint64_t turns_of_millisecond() {
    constexpr std::uint64_t several = 100'000;
    std::uint64_t least = ~0ull;
    for (int i = 0; i < looks; ++i) {
        const std::uint64_t begin = native::monotonic_nanoseconds();
        for (std::uint64_t turn = 0; turn < several; ++turn) asm volatile("");
        least = std::min(least, native::monotonic_nanoseconds() - begin);
    }
    return several * millisecond / (least + 1);
}
std::uint64_t loop_turns;

void compute(std::uint64_t microseconds) {
    for (std::uint64_t turn = loop_turns * microseconds / 1000; turn != 0; --turn) asm volatile("");
}

std::uint64_t used_by(const native::Thread& thread) {
    abi::ThreadInfo info{};
    CHECK(call::thread_inspect(thread.handle(), info));
    return info.cpu_nanoseconds;
}

// What of so many nanoseconds that both use together `one` has used. Either gives what it has used so far.
template <class One, class Other> std::uint64_t had_of(std::uint64_t together, One&& one, Other&& other) {
    const std::uint64_t before = one(), before_other = other();
    CHECK(comes_true([&] { return one() - before + other() - before_other >= together; }));
    const std::uint64_t had = one() - before, had_other = other() - before_other;
    native::print("one has ", had / millisecond, " ms, the other ", had_other / millisecond);
    return had * together / (had + had_other);
}

// Until a thread that computes has used so much more.
bool computes_for(const Spinners& spinner, std::uint64_t nanoseconds) {
    const std::uint64_t before = spinner.used();
    return comes_true([&] { return spinner.used() - before >= nanoseconds; });
}

std::atomic<bool> over;

// Threads that take turns by the clock: each computes in its own slots, and sleeps over those of all others.
constexpr std::uint32_t in_turn = 32;
constexpr std::uint64_t slot = 3 * millisecond, gap = millisecond / 4;
std::uint64_t first_slot;

void compute_in_turn(void* own) {
    const Owned bell(call::notification_create(quota()).value_or(0));
    std::uint64_t begin = first_slot + reinterpret_cast<std::uintptr_t>(own) * slot;
    while (!over) {
        CHECK_ERROR(call::notification_wait(bell.get(), begin), timed_out);
        while (native::monotonic_nanoseconds() < begin + slot - gap) {}
        begin += in_turn * slot;
    }
}

constexpr std::uint64_t short_life = 3000; // microseconds

// Threads that wake together, each with work for less than a turn.
constexpr std::uint32_t in_herd = 256;
constexpr std::uint64_t work_in_herd = 400; // microseconds
std::uint32_t gate;
std::atomic<std::uint32_t> ready, computed, finished;
abi::Handle all_ready, all_finished;
const Spinners* beside_herd;
std::array<native::Thread*, in_herd> herd;
struct Had {
    std::uint64_t herd, spinner;
};
Had at_half;

Had look() {
    Had had{0, beside_herd->used()};
    for (auto* const thread : herd) had.herd += used_by(*thread);
    return had;
}

void run_in_herd(void*) {
    if (ready.fetch_add(1) + 1 == in_herd) CHECK(call::notification_signal(all_ready, 1));
    (void)native::futex_wait(&gate, 0, abi::never);
    compute(work_in_herd);
    if (computed.fetch_add(1) == in_herd / 2) at_half = look();
    // Who looks goes over all of them, so that none goes before it has.
    if (finished.fetch_add(1) + 1 == in_herd) CHECK(call::notification_signal(all_finished, 1));
    // Until nobody looks at it any more.
    (void)native::futex_wait(&gate, 1, abi::never);
}

} // namespace

KERNEL_USER_TEST(threads_that_take_turns_have_one_part) {
    over = false;
    auto spinner = spin(1, {1024, 0, 0, 0, 1});
    const Owned its_budget = confined_to(1);
    REQUIRE(spinner && its_budget);
    std::array<native::Thread*, in_turn> threads{};
    first_slot = native::monotonic_nanoseconds() + in_turn * slot;
    for (std::uintptr_t i = 0; i < in_turn; ++i) {
        threads[i] = native::Thread::create(compute_in_turn, reinterpret_cast<void*>(i), {.budget = its_budget.get()}).value_or(nullptr);
        REQUIRE(threads[i]);
    }
    bool fair = false;
    // Its host may let the processor stand still in somebody's turn.
    for (int i = 0; i < looks && !fair; ++i)
        fair = had_of(500 * millisecond, [&] { return spinner->used(); }, [&] {
            std::uint64_t sum = 0;
            for (auto* const thread : threads) sum += used_by(*thread);
            return sum;
        }) >= 200 * millisecond;
    CHECK(fair);
    over = true;
    spinner->end();
    for (auto* const thread : threads) thread->join();
}

KERNEL_USER_TEST(threads_that_end_soon_have_one_part) {
    constexpr int lives = 20;
    loop_turns = turns_of_millisecond();
    auto spinner = spin(1, {1024, 0, 0, 0, 1});
    const Owned light(call::budget_create(quota(), budget(), {64, 0, 0, 0, 1}).value_or(0));
    REQUIRE(spinner && light);
    const std::uint64_t before = spinner->used();
    for (int life = 0; life < lives; ++life) {
        auto* const thread = native::Thread::create([](void*) { compute(short_life); }, nullptr, {.budget = light.get()}).value_or(nullptr);
        REQUIRE(thread);
        thread->join();
    }
    const std::uint64_t beside = spinner->used() - before;
    native::print("beside ", lives, " short lives: ", beside / millisecond, " ms, they: ", lives * short_life / 1000, " ms");
    CHECK(beside / 1000 >= 8 * lives * short_life);
    spinner->end();
}

KERNEL_USER_TEST(threads_that_wake_together_leave_others_their_part) {
    loop_turns = turns_of_millisecond();
    gate = 0;
    ready = computed = finished = 0;
    const Owned its_budget = confined_to(1), told_ready(call::notification_create(quota()).value_or(0)), told_finished(call::notification_create(quota()).value_or(0));
    REQUIRE(its_budget && told_ready && told_finished);
    all_ready = told_ready.get();
    all_finished = told_finished.get();
    for (auto& thread : herd) {
        thread = native::Thread::create(run_in_herd, nullptr, {.budget = its_budget.get()}).value_or(nullptr);
        REQUIRE(thread);
    }
    CHECK(call::notification_wait(all_ready, abi::never));
    auto spinner = spin(1, {1024, 0, 0, 0, 1});
    REQUIRE(spinner && computes_for(*spinner, 50 * millisecond));
    beside_herd = &*spinner;
    const Had before = look();
    __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
    native::futex_wake(&gate, in_herd);
    CHECK(call::notification_wait(all_finished, abi::never));
    __atomic_store_n(&gate, 2, __ATOMIC_SEQ_CST);
    native::futex_wake(&gate, in_herd);
    for (auto* const thread : herd) thread->join();
    const std::uint64_t of_herd = at_half.herd - before.herd, beside = at_half.spinner - before.spinner;
    native::print("half of the herd: ", of_herd / millisecond, " ms, beside it: ", beside / millisecond, " ms");
    CHECK(beside >= of_herd / 2);
    spinner->end();
}

// A processor that only computes has no timer, and a virtual clock of long ago.
KERNEL_USER_TEST(who_computed_alone_does_not_stand_behind_a_newcomer) {
    NEEDS_PROCESSORS(2);
    auto first = spin(1, {1024, 0, 0, 0, 2});
    REQUIRE(first && computes_for(*first, 1000 * millisecond));
    auto newcomer = spin(1, {1024, 0, 0, 0, 2});
    REQUIRE(newcomer);
    CHECK(had_of(400 * millisecond, [&] { return first->used(); }, [&] { return newcomer->used(); }) >= 100 * millisecond);
    newcomer->end();
    first->end();
}

KERNEL_USER_TEST(who_computed_alone_does_not_stand_behind_a_sleeper) {
    static abi::Handle wakes;
    // On the only processor it is not quite alone.
    const std::uint64_t where = figures().cpu_count == 1 ? 1 : 2;
    const Owned its_budget = confined_to(where), bell(call::notification_create(quota()).value_or(0));
    REQUIRE(its_budget && bell);
    wakes = bell.get();
    over = false;
    auto* const sleeper = native::Thread::create([](void*) {
        CHECK(call::notification_wait(wakes, abi::never));
        while (!over) {}
    }, nullptr, {.budget = its_budget.get()}).value_or(nullptr);
    auto first = spin(1, {1024, 0, 0, 0, where});
    REQUIRE(sleeper && first && computes_for(*first, 1000 * millisecond));
    CHECK(call::notification_signal(bell.get(), 1));
    CHECK(had_of(400 * millisecond, [&] { return first->used(); }, [&] { return used_by(*sleeper); }) >= 100 * millisecond);
    over = true;
    sleeper->join();
    first->end();
}

KERNEL_USER_TEST(a_limit_begins_where_it_is_set) {
    NEEDS_PROCESSORS(2);
    constexpr std::uint64_t alone = 2000 * millisecond, limited = 200 * millisecond;
    auto spinner = spin(1, {1024, 0, 0, 0, 2});
    REQUIRE(spinner && computes_for(*spinner, alone));
    CHECK(call::budget_configure(spinner->budget, {1024, 0, 50'000, 100'000, 2}));
    const std::uint64_t begin = native::monotonic_nanoseconds();
    CHECK(computes_for(*spinner, limited));
    const std::uint64_t took = native::monotonic_nanoseconds() - begin;
    native::print(limited / millisecond, " ms with half of the processor took ", took / millisecond, " ms");
    // Without the limit it took just as long as it computed; with a debt of what was before, longer than that was.
    CHECK(took >= limited * 5 / 4 && took < alone);
    spinner->end();
}

KERNEL_USER_TEST(what_a_thread_that_runs_has_used_is_told) {
    NEEDS_PROCESSORS(2);
    auto spinner = spin(1, {1024, 0, 0, 0, 2});
    REQUIRE(spinner);
    for (int i = 0; i < 10; ++i) CHECK(computes_for(*spinner, 10 * millisecond));
    spinner->end();
}
