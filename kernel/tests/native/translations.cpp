// What TLBs remember: several guest halves of one sandbox on all processors, while what they show is replaced.
#include <algorithm>
#include <atomic>

#include "kernel/tests/native/test.hpp"
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
