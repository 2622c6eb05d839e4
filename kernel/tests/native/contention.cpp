// Threads that work on the same ranges of one space at once.
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

} // namespace

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
