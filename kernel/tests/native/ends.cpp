// What takes time that a user chooses: it must end, and soon.
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"

using namespace kernel_test;
namespace call = native::call;

// Who waits there already stays as it is. Were the count to decide, this would take the better part of an hour.
KERNEL_USER_TEST(bounded_requeue_onto_the_same_word) {
    static std::uint32_t word = 0;
    struct Waiter {
        static void run(void* argument) { *static_cast<std::atomic<std::int32_t>*>(argument) = error_of(native::futex_wait(&word, 0)); }
    };
    std::atomic<std::int32_t> results[2] = {-1, -1};
    native::Thread* threads[2] = {};
    for (int i = 0; i < 2; ++i) {
        threads[i] = native::Thread::create(Waiter::run, &results[i]).value_or(nullptr);
        REQUIRE(threads[i]);
    }
    for (int i = 0; i < 30; ++i) (void)call::thread_yield();
    const std::uint64_t address = native::address_of(&word);
    CHECK(call::futex_wake(address, 0, 0, address, 0xffffffff).value_or(99) == 0);
    std::uint64_t woken = 0;
    while (woken < 2) woken += call::futex_wake(address, 1, 0, address, 0xffffffff).value_or(99);
    CHECK(woken == 2);
    for (auto* thread : threads) thread->join();
    for (auto& result : results) CHECK(result == 0);
}
