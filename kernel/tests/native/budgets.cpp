// Budgets: limits hold, and a weight is a budget's, not each of its threads'.
#include <cstring>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t code_at = abi::program_base;
constexpr unsigned char loop_for_ever[] = {0xeb, 0xfe}; // jmp .
constexpr unsigned most_threads = 16;

// A process whose threads spin, each charged to the budget.
struct Spinners {
    abi::Handle budget = 0;
    abi::Handle process = 0;
    abi::Handle threads[most_threads] = {};
    unsigned count = 0;

    std::uint64_t used() const {
        std::uint64_t sum = 0;
        for (unsigned i = 0; i < count; ++i) {
            abi::ThreadInfo info{};
            CHECK(call::thread_inspect(threads[i], info));
            sum += info.cpu_nanoseconds;
        }
        return sum;
    }
    void end() {
        const auto watch = call::notification_create(quota());
        REQUIRE(watch);
        CHECK(call::process_watch(process, *watch, 1));
        CHECK(call::process_kill(process, 9));
        CHECK(call::notification_wait(*watch, native::after_milliseconds(20'000)));
        for (unsigned i = 0; i < count; ++i) CHECK(call::handle_close(threads[i]));
        for (const auto handle : {*watch, process, budget}) CHECK(call::handle_close(handle));
    }
};

base::Result<Spinners> spin(unsigned count, const abi::BudgetParameters& parameters, abi::Handle parent = budget()) {
    Spinners spinners;
    spinners.budget = TRY(call::budget_create(quota(), parent, parameters));
    spinners.process = TRY(call::process_create(quota(), spinners.budget));
    const auto its_space = TRY(call::process_space(spinners.process));
    const auto memory = TRY(call::memory_create(quota(), abi::page_size, 0));
    TRY(call::memory_write(memory, 0, std::as_bytes(std::span(loop_for_ever))));
    TRY(call::space_map(its_space, memory, code_at, 0, abi::page_size, protection::read | protection::execute));
    for (const auto handle : {its_space, memory}) TRY(call::handle_close(handle));
    for (; spinners.count < count; ++spinners.count) {
        spinners.threads[spinners.count] = TRY(call::thread_create(spinners.process, spinners.budget));
        TRY(call::thread_start(spinners.threads[spinners.count], code_at, abi::stack_base, 0));
    }
    return spinners;
}

void sleep(std::uint64_t milliseconds) {
    const auto notification = call::notification_create(quota());
    REQUIRE(notification);
    CHECK_ERROR(call::notification_wait(*notification, native::after_milliseconds(milliseconds)), timed_out);
    CHECK(call::handle_close(*notification));
}

bool is_about(std::uint64_t value, std::uint64_t wanted) {
    if (value * 20 >= wanted * 19 && value * 20 <= wanted * 21) return true;
    native::print("is ", value, ", not about ", wanted);
    return false;
}

// Whether the spinners together get `wanted` thousandths of one processor. More processors than the host has run late now and then, and a debt that is not paid yet shows:
// one of a few looks has to be right, and where a limit does not hold none is.
template <class... Each>
bool get(std::uint64_t wanted, const Each&... each) {
    for (int look = 0; look < 5; ++look) {
        const std::uint64_t begin = native::monotonic_nanoseconds(), before = (each.used() + ...);
        sleep(1000);
        const std::uint64_t used = (each.used() + ...) - before;
        if (is_about(used * 1000 / (native::monotonic_nanoseconds() - begin), wanted)) return true;
    }
    return false;
}

// Whether `one` gets `wanted` thousandths of what both get.
bool divide(std::uint64_t wanted, const Spinners& one, const Spinners& other) {
    for (int look = 0; look < 5; ++look) {
        const std::uint64_t before = one.used(), before_other = other.used();
        sleep(1000);
        const std::uint64_t used = one.used() - before, used_other = other.used() - before_other;
        if (is_about(used * 1000 / (used + used_other), wanted)) return true;
    }
    return false;
}

constexpr abi::BudgetParameters half{1024, 0, 50'000, 100'000, 0};
constexpr abi::BudgetParameters usual{1024, 0, 0, 0, 0};

} // namespace

KERNEL_USER_TEST(a_limit_holds) {
    auto limited = spin(1, half);
    REQUIRE(limited);
    CHECK(get(500, *limited));
    auto other = spin(1, usual);
    REQUIRE(other);
    CHECK(get(500, *limited));
    // Reaches a thread that runs.
    CHECK(call::budget_configure(limited->budget, {1024, 0, 20'000, 100'000, 0}));
    CHECK(get(200, *limited));
    other->end();
    limited->end();
}

KERNEL_USER_TEST(a_limit_is_shared_by_all_threads_below_it) {
    const auto parent = call::budget_create(quota(), budget(), half);
    REQUIRE(parent);
    auto one = spin(1, usual, *parent);
    auto other = spin(3, usual, *parent);
    REQUIRE(one && other);
    CHECK(get(500, *one, *other));
    one->end();
    other->end();
    CHECK(call::handle_close(*parent));
}

// With next to nothing for each period, an end that waited for it would take minutes.
KERNEL_USER_TEST(an_end_waits_for_no_period) {
    auto limited = spin(4, {1024, 0, 1, 10'000'000, 0});
    REQUIRE(limited);
    sleep(100);
    const std::uint64_t begin = native::monotonic_nanoseconds();
    limited->end();
    CHECK(native::monotonic_nanoseconds() - begin < 5 * native::nanoseconds_per_second);
}

KERNEL_USER_TEST(a_weight_is_the_budgets_and_not_each_threads) {
    // On one processor, so that they compete: the mask's.
    auto one = spin(1, {1024, 0, 0, 0, 1});
    auto many = spin(most_threads, {1024, 0, 0, 0, 1});
    REQUIRE(one && many);
    CHECK(divide(500, *one, *many));
    // Reaches threads that run.
    CHECK(call::budget_configure(many->budget, {3072, 0, 0, 0, 1}));
    CHECK(divide(250, *one, *many));
    one->end();
    many->end();
}

KERNEL_USER_TEST(budgets_are_not_nested_without_end) {
    abi::Handle chain[16] = {budget()};
    unsigned depth = 0;
    for (; depth < 15; ++depth) {
        const auto next = call::budget_create(quota(), chain[depth], usual);
        if (!next) {
            CHECK_ERROR(next, bad_argument);
            break;
        }
        chain[depth + 1] = *next;
    }
    CHECK(depth == 7);
    for (; depth > 0; --depth) CHECK(call::handle_close(chain[depth]));
}
