// What takes time that a user chooses: it must end, and soon.
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/threads.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"

using namespace kernel_test;
namespace call = native::call;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = abi::protection::read | abi::protection::write;

// A thread that waits at a shared word.
struct SharedWaiter {
    explicit SharedWaiter(std::uint64_t address) : address(address) {
        thread = native::Thread::create(run, this).value_or(nullptr);
        while (thread && !begun) (void)call::thread_yield();
        // On another CPU it may take its time; who was moved to another word of the page and back waits.
        const auto move = [](std::uint64_t from, std::uint64_t to) {
            return call::futex_wake(from, 0, native::futex_flag::shared, to, 1, native::any_futex_bits).value_or(0) == std::uint64_t{1} << 32;
        };
        if (thread) CHECK(comes_true([&] { return move(address, address + 64); }) && move(address + 64, address));
    }
    static void run(void* argument) {
        auto& self = *static_cast<SharedWaiter*>(argument);
        self.begun = true;
        self.result = error_of(call::futex_wait(self.address, 0, abi::never, native::futex_flag::shared, native::any_futex_bits));
        self.over = true;
    }
    // Takes it out of a wait that nobody ended.
    void finish() {
        if (!over) (void)call::thread_kick(thread->handle());
        thread->join();
    }

    std::uint64_t address;
    native::Thread* thread = nullptr;
    std::atomic<bool> begun = false;
    std::atomic<bool> over = false;
    std::atomic<std::int32_t> result = -1;
};

} // namespace

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
    CHECK(call::futex_wake(address, 0, 0, address, 0xffffffff, native::any_futex_bits).value_or(99) == 0);
    std::uint64_t woken = 0;
    while (woken < 2) woken += call::futex_wake(address, 1, 0, address, 0xffffffff, native::any_futex_bits).value_or(99);
    CHECK(woken == 2);
    for (auto* thread : threads) thread->join();
    for (auto& result : results) CHECK(result == 0);
}

// The word's frame is the waiter's as long as it waits: whoever gets new memory does not get its key.
KERNEL_USER_TEST(a_stranger_does_not_wake_who_waits_at_memory_that_is_gone) {
    // One of many frames in a row that stay: free, it is the first to be given out.
    constexpr std::uint64_t pages = 64, gone = 33, strange_pages = 256;
    const std::uint64_t at = native::reserve_range((pages + strange_pages) * page).value_or(0);
    REQUIRE(at);
    abi::Handle memories[pages] = {};
    for (std::uint64_t i = 0; i < pages; ++i) {
        memories[i] = call::memory_create(quota(), page, 0).value_or(0);
        REQUIRE(memories[i] && call::space_map(space(), memories[i], at + i * page, 0, page, read_write));
        CHECK(*reinterpret_cast<volatile std::uint32_t*>(at + i * page) == 0);
    }
    // What the kernel needs for the others' memory itself is there before, so that the frame goes to a page.
    const std::uint64_t other = at + pages * page;
    const auto strange = call::memory_create(quota(), strange_pages * page, 0);
    REQUIRE(strange && call::space_map(space(), *strange, other, 0, strange_pages * page, read_write));
    for (std::uint64_t i = 0; i < strange_pages; i += 64) CHECK(*reinterpret_cast<volatile std::uint32_t*>(other + i * page) == 0);
    SharedWaiter waiter(at + gone * page);
    REQUIRE(waiter.thread);
    CHECK(call::space_unmap(space(), at + gone * page, page));
    CHECK(call::handle_close(memories[gone]));
    CHECK(!waiter.over);
    for (std::uint64_t i = 0; i < strange_pages; ++i) CHECK(call::futex_wake(other + i * page, 1, native::futex_flag::shared, 0, 0, native::any_futex_bits).value_or(99) == 0);
    waiter.finish();
    CHECK(waiter.result == static_cast<std::int32_t>(abi::Error::canceled));
    CHECK(call::space_unmap(space(), at, (pages + strange_pages) * page));
    for (std::uint64_t i = 0; i < pages; ++i) CHECK(i == gone || call::handle_close(memories[i]));
    CHECK(call::handle_close(*strange));
    native::release_range(at, (pages + strange_pages) * page);
}

// A requeue takes the reference along, and the end of a wait gives it back.
KERNEL_USER_TEST(a_wait_at_shared_memory_costs_nothing_when_it_is_over) {
    const std::uint64_t at = native::reserve_range(2 * page).value_or(0);
    REQUIRE(at);
    const auto wait_and_end = [&] {
        for (int round = 0; round < 20; ++round) {
            const auto memory = call::memory_create(quota(), 2 * page, 0);
            REQUIRE(memory && call::space_map(space(), *memory, at, 0, 2 * page, read_write));
            SharedWaiter waiter(at);
            REQUIRE(waiter.thread);
            CHECK(call::futex_wake(at, 0, native::futex_flag::shared, at + page, 1, native::any_futex_bits).value_or(0) == std::uint64_t{1} << 32);
            CHECK(call::futex_wake(at + page, 1, native::futex_flag::shared, 0, 0, native::any_futex_bits).value_or(99) == 1);
            waiter.thread->join();
            CHECK(waiter.result == 0);
            CHECK(call::space_unmap(space(), at, 2 * page));
            CHECK(call::handle_close(*memory));
        }
    };
    wait_and_end();
    leaves_nothing_behind(wait_and_end);
    native::release_range(at, 2 * page);
}

// Its key would name a space that it does not hold: woken, it looks for itself.
KERNEL_USER_TEST(who_waits_at_shared_memory_is_not_moved_to_a_word_of_one_space) {
    const std::uint64_t at = native::reserve_range(2 * page).value_or(0);
    const auto memory = call::memory_create(quota(), page, 0);
    REQUIRE(at && memory && call::space_map(space(), *memory, at, 0, page, read_write) && call::space_map(space(), 0, at + page, 0, page, read_write));
    SharedWaiter waiter(at);
    REQUIRE(waiter.thread);
    CHECK(call::futex_wake(at, 0, native::futex_flag::shared, at + page, 1, native::any_futex_bits).value_or(0) == std::uint64_t{1} << 32);
    waiter.finish();
    CHECK(waiter.result == 0);
    CHECK(call::space_unmap(space(), at, 2 * page) && call::handle_close(*memory));
    native::release_range(at, 2 * page);
}

// The write gives the page another frame; the word stays the same.
KERNEL_USER_TEST(a_word_in_a_private_page_is_the_same_after_its_copy) {
    const std::uint64_t at = native::reserve_range(page).value_or(0);
    const auto memory = call::memory_create(quota(), page, 0);
    REQUIRE(at && memory && call::memory_write(*memory, 8, std::as_bytes(std::span("x", 1))));
    REQUIRE(call::space_map(space(), *memory, at, 0, page, read_write | abi::map_flag::copy_on_write));
    SharedWaiter waiter(at);
    REQUIRE(waiter.thread);
    *reinterpret_cast<volatile std::uint32_t*>(at + 4) = 1;
    CHECK(call::futex_wake(at, 1, native::futex_flag::shared, 0, 0, native::any_futex_bits).value_or(99) == 1);
    waiter.finish();
    CHECK(waiter.result == 0);
    CHECK(call::space_unmap(space(), at, page));
    CHECK(call::handle_close(*memory));
    native::release_range(at, page);
}

// More processes than one step looks at, some of them elsewhere.
KERNEL_USER_TEST(the_end_of_a_quota_reaches_all_its_processes) {
    constexpr unsigned count = 150;
    static abi::Handle processes[count];
    const auto inner = call::quota_create(quota(), 8192);
    REQUIRE(inner);
    for (unsigned i = 0; i < count; ++i) {
        processes[i] = call::process_create(i % 3 ? *inner : quota(), budget()).value_or(0);
        REQUIRE(processes[i]);
    }
    CHECK(call::quota_destroy(*inner));
    for (unsigned i = 0; i < count; ++i) {
        abi::ProcessInfo info{};
        CHECK(call::process_inspect(processes[i], info));
        CHECK((info.state == abi::ProcessState::ended) == (i % 3 != 0));
        CHECK(call::handle_close(processes[i]));
    }
    CHECK(call::handle_close(*inner));
}

// Who began to end a process gets no time any more, for a thread of the process computes in front of it. Whoever ends the quota stops that thread too.
KERNEL_USER_TEST(the_end_of_a_quota_does_not_wait_for_who_began_it) {
    // Waits for the notification in the argument, and computes from then on.
    constexpr auto wait = static_cast<unsigned char>(abi::KernelCall::notification_wait);
    constexpr unsigned char compute_when_told[] = {0x48, 0xc7, 0xc6, 0xff, 0xff, 0xff, 0xff, 0xb8, wait, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xfe}; // mov $-1,%rsi; mov $number,%eax; syscall; jmp .
    constexpr unsigned others = 1500;
    const native::Owned in_front(call::budget_create(quota(), budget(), {1024, 8, 0, 0, 1}).value_or(0)), behind(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 1}).value_or(0));
    const native::Owned code(call::memory_create(quota(), page, 0).value_or(0));
    REQUIRE(in_front && behind && code && call::memory_write(code.get(), 0, std::as_bytes(std::span(compute_when_told))));
    bool held_up = false;
    // The end may be over before the thread is told.
    for (unsigned attempt = 0; attempt < 20 && !held_up; ++attempt) {
        const native::Owned payer(call::quota_create(quota(), 16'384).value_or(0)), bell(call::notification_create(quota()).value_or(0)), never(call::notification_create(quota()).value_or(0));
        static native::Owned process;
        process = native::Owned(call::process_create(payer.get(), behind.get()).value_or(0));
        const native::Owned its_space(call::process_space(process.get()).value_or(0));
        REQUIRE(payer && bell && never && process && its_space && call::space_map(its_space.get(), code.get(), abi::program_base, 0, page, abi::protection::read | abi::protection::execute));
        // They are stopped in this order. The process has their handles, so that they are there until then.
        for (unsigned i = 0; i < others; ++i) {
            const native::Owned thread(call::thread_create(process.get(), behind.get()).value_or(0));
            REQUIRE(thread && call::process_grant(process.get(), thread.get(), abi::right::start, 0));
        }
        const auto granted = call::process_grant(process.get(), bell.get(), abi::right::receive, 0);
        const native::Owned last(call::thread_create(process.get(), in_front.get()).value_or(0));
        REQUIRE(granted && last && call::thread_start(last.get(), abi::program_base, abi::stack_base, *granted));
        auto* const killer = native::Thread::create([](void*) { (void)call::process_kill(process.get(), 0); }, nullptr, {.budget = behind.get()}).value_or(nullptr);
        REQUIRE(killer);
        abi::ProcessInfo info{};
        for (unsigned looks = 1; info.reason != abi::EndReason::kill && call::process_inspect(process.get(), info); ++looks) {
            // A nap lets the killer go on, where they share a processor.
            if (looks % 32 == 0) (void)call::notification_wait(never.get(), native::monotonic_nanoseconds() + 50'000);
        }
        CHECK(call::notification_signal(bell.get(), 1));
        (void)call::notification_wait(never.get(), native::monotonic_nanoseconds() + 50'000);
        held_up = call::process_inspect(process.get(), info) && info.threads > 1;
        CHECK(call::quota_destroy(payer.get()));
        CHECK(call::process_inspect(process.get(), info) && info.state == abi::ProcessState::ended && info.reason == abi::EndReason::kill);
        killer->join();
        process = {};
    }
    CHECK(held_up);
}

// The second round takes the places whose frames the first one gave back. A few stacks are kept, and the page tables of all.
KERNEL_USER_TEST(the_stacks_of_many_threads_come_back) {
    constexpr unsigned count = 1200;
    constexpr std::uint64_t spare_pages = 256;
    static abi::Handle threads[count];
    const std::uint64_t before = figures().free_pages;
    for (int round = 0; round < 2; ++round) {
        for (abi::Handle& thread : threads) {
            thread = call::thread_create(native::self().process, budget()).value_or(0);
            REQUIRE(thread && call::thread_start(thread, reinterpret_cast<std::uint64_t>(&leave_at_once), abi::stack_base, 0));
        }
        CHECK(figures().free_pages + 4 * (count - spare_pages) < before);
        for (const abi::Handle thread : threads) CHECK(call::handle_close(thread));
        // The last ones may still be on their way out.
        CHECK(comes_true([&] { return figures().free_pages + spare_pages >= before; }));
    }
}

// Of threads that never ran nobody but the end of their process gives the stacks back.
KERNEL_USER_TEST(the_stacks_of_threads_that_never_ran_come_back) {
    constexpr unsigned count = 800;
    constexpr std::uint64_t spare_pages = 256;
    const std::uint64_t before = figures().free_pages;
    const native::Owned process(call::process_create(quota(), budget()).value_or(0));
    REQUIRE(process);
    // One that has handles of its own threads: they end with it.
    for (unsigned i = 0; i < count; ++i) {
        const native::Owned thread(call::thread_create(process.get(), budget()).value_or(0));
        REQUIRE(thread && call::process_grant(process.get(), thread.get(), abi::right::start, 0));
    }
    CHECK(figures().free_pages + 4 * (count - spare_pages) < before);
    CHECK(call::process_kill(process.get(), 0));
    CHECK(comes_true([&] { return figures().free_pages + spare_pages >= before; }));
}
