// A fuzzer of the kernel's calls, as the first process: cells make random calls until `calls` of them were made; no panic, no error that the interface does not name, and
// nothing left behind. Arguments: seed, calls, threads.
#include <algorithm>
#include <charconv>

#include "kernel/tests/native/leftovers.hpp"
#include "lib/native/clock.hpp"
#include "native/call_table.hpp"
#include "tests/attacks/native/cell.hpp"
#include "tests/fuzz/fuzzer.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using attacks::Cell;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::uint64_t quota_pages = 2000;
constexpr std::uint64_t calls_a_round = 10'000;
// The watchdog: a cell whose threads have all suspended each other, or lost their way, is ended.
constexpr std::uint64_t look_milliseconds = 100, fewest_between_looks = 20;
constexpr std::uint64_t most_barren_rounds = 200;

// What a cell holds: no capability, those of itself that every native program has, or one or more of each kind besides.
enum class Wealth : std::uint8_t { nothing, itself, much };

std::uint64_t overdue = 0;

std::uint64_t number(std::string_view key, std::uint64_t fallback) {
    const std::string_view text = native::argument(key);
    std::uint64_t value = fallback;
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// One or more of every kind that a cell can hold without reaching a device.
base::Result<void> give_much(Cell& cell, abi::Handle payer) {
    const native::Owned open(TRY(call::memory_create(payer, 16 * page, 0))), sealed(TRY(call::memory_create(payer, 4 * page, abi::memory_flag::populate)));
    TRY(call::memory_seal(sealed.get()));
    TRY(cell.give(open.get()));
    TRY(cell.give(sealed.get()));
    const native::Owned lease(TRY(call::lease_create(payer, 0)));
    TRY(cell.give(lease.get()));
    TRY(cell.give(native::Owned(TRY(native::duplicate(open.get(), 0, 0, lease.get()))).get()));
    TRY(cell.give(native::Owned(TRY(call::quota_create(payer, 200))).get()));
    TRY(cell.give(native::Owned(TRY(call::endpoint_create(payer))).get()));
    TRY(cell.give(native::Owned(TRY(call::notification_create(payer))).get()));
    TRY(cell.give(native::Owned(TRY(call::port_create(payer))).get()));
    TRY(cell.give(native::Owned(TRY(call::space_create(payer, 0))).get()));
    TRY(cell.give(native::Owned(TRY(call::space_create(payer, 1))).get()));
    return cell.give(native::Owned(TRY(call::process_create(payer, budget()))).get());
}

bool ends_by_itself(Cell& cell, const fuzz::Tally& tally) {
    for (;;) {
        const std::uint64_t before = tally.calls;
        if (cell.wait(native::after_milliseconds(look_milliseconds))) return true;
        if (tally.calls - before < fewest_between_looks) return false;
    }
}

base::Result<void> one_round(const fuzz::Orders& orders, Wealth wealth, abi::Handle tally) {
    const native::Owned payer(TRY(call::quota_create(quota(), quota_pages)));
    {
        auto cell = TRY(Cell::create(payer.get()));
        if (wealth != Wealth::nothing) TRY(cell.give_itself());
        if (wealth == Wealth::much) TRY(give_much(cell, payer.get()));
        TRY(cell.share(tally, fuzz::tally_at, page));
        const native::Owned its_space(TRY(call::process_space(cell.process())));
        TRY(call::space_map(its_space.get(), native::granted("clock"), native::address_of(native::clock_page()), 0, page, abi::protection::read));
        TRY(cell.start(fuzz::run, orders.word()));
        overdue += !ends_by_itself(cell, *reinterpret_cast<const fuzz::Tally*>(fuzz::tally_at));
    }
    return call::quota_destroy(payer.get());
}

// Frames are free again but for what the kernel keeps for its next threads' stacks.
bool same(const abi::QuotaInfo& a, const abi::QuotaInfo& b) {
    constexpr std::uint64_t kept = 256;
    return a.used_pages == b.used_pages && a.table_pages == b.table_pages && a.free_pages < b.free_pages + kept &&
           std::equal(std::begin(a.object_count), std::end(a.object_count), std::begin(b.object_count));
}

void print_difference(const abi::QuotaInfo& before, const abi::QuotaInfo& after) {
    native::print("  used ", before.used_pages, " then ", after.used_pages, ", free ", before.free_pages, " then ", after.free_pages, ", tables ", before.table_pages,
                  " then ", after.table_pages);
    for (std::size_t kind = 0; kind < std::size(before.object_count); ++kind)
        if (before.object_count[kind] != after.object_count[kind])
            native::print("  objects of kind ", kind, ": ", before.object_count[kind], " then ", after.object_count[kind]);
}

// What the first round left may still be going on another CPU.
abi::QuotaInfo settled_figures() {
    constexpr std::uint64_t still = 50;
    auto figures_now = figures();
    for (auto until = native::after_milliseconds(still); native::monotonic_nanoseconds() < until;) {
        (void)call::thread_yield();
        const auto later = figures();
        if (!same(figures_now, later)) until = native::after_milliseconds(still);
        figures_now = later;
    }
    return figures_now;
}

void expect_the_same(const abi::QuotaInfo& before) {
    auto after = before;
    const bool nothing_left = comes_true([&] { return same(before, after = figures()); });
    CHECK(nothing_left);
    if (!nothing_left) print_difference(before, after);
}

// What each call answered is what the interface file says that it answers.
void expect_named_errors(const fuzz::Tally& tally) {
    for (const auto& entry : native::call_table::calls) {
        const std::uint64_t unnamed = tally.answers[entry.number] & ~entry.errors;
        for (unsigned error = 0; error < 64; ++error) {
            if ((unnamed >> error & 1) == 0) continue;
            native::print("  ", std::string_view(entry.name), " answers ", native::error_name(static_cast<abi::Error>(error)), ", which the interface does not name");
            fail("errors are those of the interface", __FILE__, __LINE__);
        }
    }
}

// Whether a call was granted that takes or gives a capability.
bool anything_was_made(const fuzz::Tally& tally) {
    return std::ranges::any_of(native::call_table::calls, [&](const auto& entry) {
        const bool granted = (tally.reached[entry.number / 64] >> (entry.number % 64) & 1) != 0;
        const auto* const end = entry.arguments + entry.count;
        return granted && std::any_of(entry.arguments, end, [](const auto& argument) { return argument.type == native::call_table::ArgumentType::handle; });
    });
}

// `share`: one in so many of all calls.
void fuzz_with(Wealth wealth, std::uint64_t share) {
    const std::uint64_t seed = number("seed", 1) & 0xffff'ffff, wanted = (number("calls", 200'000) + share - 1) / share;
    const std::uint64_t threads = std::clamp<std::uint64_t>(number("threads", 2), 1, fuzz::most_threads);
    native::print("fuzz: seed ", seed, ", threads ", threads);
    const auto memory = call::memory_create(quota(), page, abi::memory_flag::populate);
    const std::uint64_t at = fuzz::tally_at;
    REQUIRE(memory && call::space_map(space(), *memory, at, 0, page, abi::protection::read | abi::protection::write));
    const auto& tally = *reinterpret_cast<const fuzz::Tally*>(at);
    CHECK(one_round({seed, 100, threads}, wealth, *memory)); // what the first of its kind costs once
    const auto before = settled_figures();
    std::uint64_t rounds = 0, barren = 0;
    while (tally.calls < wanted && barren < most_barren_rounds) {
        const std::uint64_t counted = tally.calls;
        if (!one_round({(seed + ++rounds) & 0xffff'ffff, calls_a_round, threads}, wealth, *memory)) {
            fail("a round can be set up and taken down", __FILE__, __LINE__);
            break;
        }
        barren += tally.calls - counted < 100;
        // Half way and at the end: what is lost once may be a first cost, what is lost twice is a leak.
        if (rounds == 4) expect_the_same(before);
    }
    expect_the_same(before);
    expect_named_errors(tally);
    const auto reached = static_cast<unsigned>(__builtin_popcountll(tally.reached[0]) + __builtin_popcountll(tally.reached[1]));
    native::print("fuzz: ", rounds, " rounds, ", overdue, " of them ended by the watchdog, ", tally.calls.load(), " calls, ", tally.granted.load(), " granted, ", reached,
                  " of ", std::size(native::call_table::calls), " calls granted at least once");
    CHECK(tally.calls >= wanted && (wealth == Wealth::nothing || tally.granted > tally.calls / 20));
    // What needs no capability: the caller's own words, time and memory, and its end.
    CHECK(wealth != Wealth::nothing || (reached != 0 && !anything_was_made(tally)));
    CHECK(call::space_unmap(space(), at, page));
    CHECK(call::handle_close(*memory));
}

} // namespace

KERNEL_USER_TEST(random_calls_with_nothing) { fuzz_with(Wealth::nothing, 10); }
KERNEL_USER_TEST(random_calls_with_little) { fuzz_with(Wealth::itself, 2); }
KERNEL_USER_TEST(random_calls_with_much) { fuzz_with(Wealth::much, 2); }

int native_main() {
    kernel_test::run_all();
    return 0;
}
