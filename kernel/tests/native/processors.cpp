// Which processor a thread runs on: idle ones take what waits elsewhere, a mask holds.
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

// Whether the spinners are on just the processors of `mask` within a few seconds.
bool come_to(const Spinners& spinners, std::uint64_t mask) {
    for (int look = 0; look < 500; ++look) {
        if (where(spinners) == mask) return true;
        sleep(10);
    }
    native::print("are on ", where(spinners), ", not on ", mask);
    return false;
}

constexpr abi::BudgetParameters on(std::uint64_t cpus) { return {1024, 0, 0, 0, cpus}; }

} // namespace

// The others' load keeps them on the first processor until it ends.
KERNEL_USER_TEST(an_idle_processor_takes_what_waits) {
    const std::uint64_t all = (1ull << processors()) - 1;
    if (all == 1) return;
    auto others = spin(4 * processors(), on(all & ~1ull));
    REQUIRE(others);
    auto spinners = spin(processors(), on(0));
    REQUIRE(spinners);
    CHECK(where(*spinners) == 1);
    others->end();
    CHECK(come_to(*spinners, all));
    spinners->end();
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
