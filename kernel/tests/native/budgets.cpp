// Budgets: limits hold, and a weight is a budget's, not each of its threads'.
#include "kernel/tests/native/spinners.hpp"
#include "lib/native/clock.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr int looks = 20;

bool is_about(std::uint64_t value, std::uint64_t wanted) {
    if (value * 20 >= wanted * 19 && value * 20 <= wanted * 21) return true;
    native::print("is ", value, ", not about ", wanted);
    return false;
}

// Whether the spinners together get `wanted` thousandths of one processor. More processors than the host has run late now and then, and a debt that is not paid yet shows:
// one of a few looks has to be right, and where a limit does not hold none is.
template <class... Each>
bool get(std::uint64_t wanted, const Each&... each) {
    for (int look = 0; look < looks; ++look) {
        const std::uint64_t begin = native::monotonic_nanoseconds(), before = (each.used() + ...);
        sleep(1000);
        const std::uint64_t used = (each.used() + ...) - before;
        if (is_about(used * 1000 / (native::monotonic_nanoseconds() - begin), wanted)) return true;
    }
    return false;
}

// Whether `one` gets `wanted` thousandths of what it and the others get.
template <class... Others> bool divide(std::uint64_t wanted, const Spinners& one, const Others&... others) {
    for (int look = 0; look < looks; ++look) {
        const std::uint64_t before = one.used(), before_others = (others.used() + ...);
        sleep(1000);
        const std::uint64_t used = one.used() - before, used_other = (others.used() + ...) - before_others;
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

KERNEL_USER_TEST(a_weight_holds_for_all_that_is_below_it) {
    constexpr abi::BudgetParameters heavy{10'000, 0, 0, 0, 1};
    auto other = spin(1, {1024, 0, 0, 0, 1});
    const auto parent = call::budget_create(quota(), budget(), abi::BudgetParameters{1024, 0, 0, 0, 1});
    REQUIRE(other && parent);
    auto one = spin(1, heavy, *parent), two = spin(3, heavy, *parent), three = spin(1, {5'000, 0, 0, 0, 1}, *parent);
    REQUIRE(one && two && three);
    CHECK(divide(500, *other, *one, *two, *three));
    CHECK(divide(400, *one, *two, *three));
    CHECK(divide(200, *three, *one, *two));
    // The weights of both levels reach threads that run.
    CHECK(call::budget_configure(*parent, {3072, 0, 0, 0, 1}));
    CHECK(call::budget_configure(three->budget, heavy));
    CHECK(divide(250, *other, *one, *two, *three));
    CHECK(divide(333, *three, *one, *two));
    // Who is alone there has all of it.
    one->end();
    two->end();
    CHECK(divide(250, *other, *three));
    other->end();
    three->end();
    CHECK(call::handle_close(*parent));
}

KERNEL_USER_TEST(own_threads_of_a_budget_count_as_one_usual_child) {
    auto own = spin(3, {4096, 0, 0, 0, 1});
    REQUIRE(own);
    auto child = spin(1, {3072, 0, 0, 0, 1}, own->budget);
    REQUIRE(child);
    CHECK(divide(250, *own, *child));
    child->end();
    own->end();
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
