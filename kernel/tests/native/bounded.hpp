// How long the largest operations keep everybody else waiting: threads of a high priority, one on each CPU that is watched, sleep until near deadlines and keep how late they were. Whoever
// held a CPU, or kept its interrupts off, for longer than a nap and the limit is seen in that; a thread that spins would see no more on another CPU, and take this one from what is measured.
#pragma once
#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <string_view>

#include "abi/kernel_calls.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/thread.hpp"

namespace kernel_test {

inline constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;
inline constexpr std::uint64_t page = abi::page_size;
inline constexpr std::uint64_t mebibyte = 1ull << 20, gibibyte = 1ull << 30, tebibyte = 1ull << 40;
inline constexpr std::uint64_t nap = 70'000;
inline constexpr std::uint64_t limit = 1'000'000;
inline constexpr std::size_t most_cpus = 4;

// Figures are the guest's own only under icount, so that whoever boots it so says that they count, and how many CPUs there are.
inline std::size_t cpus_that_count() {
    const std::string_view count = native::argument("bounded_cpus");
    return count.size() == 1 && count[0] >= '1' && count[0] <= '0' + static_cast<char>(most_cpus) ? static_cast<std::size_t>(count[0] - '0') : 0;
}

// QEMU lets processors run by turns where it counts instructions, each until the next timer is due. With more than two it passes over the one behind that which computes, the first
// here, for as long as timers of others are due: milliseconds, whatever the kernel does. So that one is not watched there; it idles.
inline std::size_t watched_cpus() { return cpus_that_count() > 2 ? cpus_that_count() - 1 : cpus_that_count(); }
inline std::size_t watched_cpu(std::size_t i) { return cpus_that_count() > 2 && i != 0 ? i + 1 : i; }

inline abi::Handle budget_of(std::uint32_t priority, std::uint64_t cpus) {
    return native::call::budget_create(quota(), budget(), abi::BudgetParameters{1024, priority, 0, 0, cpus}).value_or(0);
}

struct Waiter {
    native::Thread* thread = nullptr;
    abi::Handle budget = 0;
    abi::Handle never_signaled = 0;
    std::atomic<std::uint64_t> worst = 0;
    std::atomic<std::uint64_t> naps = 0;
    std::atomic<bool> stop = false;

    static void run(void* argument) {
        auto& self = *static_cast<Waiter*>(argument);
        while (!self.stop) {
            const std::uint64_t due = native::monotonic_nanoseconds() + nap;
            (void)native::call::notification_wait(self.never_signaled, due);
            const std::uint64_t now = native::monotonic_nanoseconds();
            const std::uint64_t late = now > due ? now - due : 0;
            if (late > self.worst) self.worst = late;
            ++self.naps;
        }
    }
};

using K = abi::KernelCall;

// Which calls an operation makes at their largest.
class Calls {
public:
    constexpr Calls() = default;
    constexpr Calls(K call) { add(call); }
    constexpr Calls(std::initializer_list<K> calls) {
        for (const K call : calls) add(call);
    }
    constexpr void add(const Calls& others) {
        for (std::size_t i = 0; i < std::size(words_); ++i) words_[i] |= others.words_[i];
    }
    constexpr bool has(K call) const { return (words_[index(call) / 64] >> (index(call) % 64) & 1) != 0; }

private:
    static constexpr std::size_t index(K call) { return static_cast<std::size_t>(call); }
    constexpr void add(K call) { words_[index(call) / 64] |= 1ull << (index(call) % 64); }

    std::uint64_t words_[(abi::kernel_call_limit + 63) / 64] = {};
};

// Those that were made beside threads that watch and held against the limit, by all tests so far.
inline Calls watched_calls;

class Watch {
public:
    Watch() : count_(watched_cpus()) {
        for (std::size_t i = 0; i < count_; ++i) {
            Waiter& waiter = waiters_[i];
            waiter.budget = budget_of(31, 1ull << watched_cpu(i));
            waiter.never_signaled = native::call::notification_create(quota()).value_or(0);
            waiter.thread = native::Thread::create(Waiter::run, &waiter, {.budget = waiter.budget}).value_or(nullptr);
            CHECK(waiter.budget && waiter.never_signaled && waiter.thread);
        }
    }
    ~Watch() {
        for (std::size_t i = 0; i < count_; ++i) {
            Waiter& waiter = waiters_[i];
            waiter.stop = true;
            if (waiter.thread) waiter.thread->join();
            (void)native::call::handle_close(waiter.budget);
            (void)native::call::handle_close(waiter.never_signaled);
        }
    }

    // Does it and holds the worst that somebody waited against the limit, but where a reason is known why that is passed: then it is told.
    template <class Operation> void operator()(const Calls& calls, const char* name, Operation&& operation, const char* excuse = nullptr) {
        if (!excuse) watched_calls.add(calls);
        settle();
        for (std::size_t i = 0; i < count_; ++i) waiters_[i].worst = 0;
        const std::uint64_t begin = native::monotonic_nanoseconds();
        if (!operation()) fail(name, __FILE__, __LINE__);
        const std::uint64_t length = native::monotonic_nanoseconds() - begin;
        settle();
        std::uint64_t worst = 0;
        for (std::size_t i = 0; i < count_; ++i) worst = std::max(worst, waiters_[i].worst.load());
        last_ = worst;
        if (count_ == 0) return;
        native::print("bounded ", name, ": ", worst, " ns late in ", length, " ns");
        if (excuse) {
            native::print("bounded ", name, ": not held against the limit, ", excuse);
            return;
        }
        if (worst > limit) fail(name, __FILE__, __LINE__);
        if (worst < worst_) return;
        worst_ = worst;
        worst_name_ = name;
    }
    // Of the operation before, 0 where nothing counts.
    std::uint64_t last() const { return last_; }
    void report() const {
        if (count_ != 0) native::print("bounded worst: ", worst_name_, " with ", worst_, " ns");
    }

private:
    // Until all have slept twice: what held them up is told by then.
    void settle() {
        for (std::size_t i = 0; i < count_; ++i) {
            const std::uint64_t before = waiters_[i].naps;
            while (waiters_[i].naps < before + 2) (void)native::call::thread_yield();
        }
    }

    std::size_t count_;
    Waiter waiters_[most_cpus];
    std::uint64_t last_ = 0;
    std::uint64_t worst_ = 0;
    const char* worst_name_ = "";
};

// The program itself has the highest priority: what is measured runs in a thread below it, on the first CPU.
inline void run_below(void (*test)(Watch&)) {
    const abi::Handle low = budget_of(1, 1);
    REQUIRE(low);
    auto* const thread = native::Thread::create([](void* argument) {
        Watch watch;
        reinterpret_cast<void (*)(Watch&)>(argument)(watch);
        watch.report();
    }, reinterpret_cast<void*>(test), {.budget = low}).value_or(nullptr);
    if (thread) thread->join();
    CHECK(thread && native::call::handle_close(low));
}

inline bool done(const base::Result<void>& result) { return result.has_value(); }

} // namespace kernel_test
