// What a call that fails leaves as it was, and what it takes from others.
#include <atomic>
#include <iterator>

#include "kernel/tests/native/spinners.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
using native::Owned;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write, read_execute = protection::read | protection::execute;
constexpr abi::Protection replace = abi::map_flag::replace;

bool is_there(std::uint64_t at) {
    const Owned target(call::memory_create(quota(), page, 0).value_or(0));
    return call::memory_write(target.get(), 0, {reinterpret_cast<const std::byte*>(at), 8}).has_value();
}

abi::ProcessInfo info_of(abi::Handle process) {
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(process, info));
    return info;
}

std::uint64_t used_by(abi::Handle payer) {
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(payer, info));
    return info.used_pages;
}

// All slots of the own table but what is open already.
struct FullTable {
    static constexpr std::size_t most = 40'000;
    static inline abi::Handle all[most];
    std::size_t count = 0;
    FullTable() {
        base::Result<abi::Handle> copy = call::notification_create(quota());
        for (; count < most && copy; copy = call::handle_duplicate(all[0], 0, 0, 0)) all[count++] = *copy;
        CHECK_ERROR(copy, no_slots);
    }
    void empty() {
        for (; count > 0; --count) CHECK(call::handle_close(all[count - 1]));
    }
};

} // namespace

KERNEL_USER_TEST(a_refused_mapping_replaces_nothing) {
    const std::uint64_t at = native::reserve_range(page).value_or(0), elsewhere = native::reserve_range(page).value_or(0);
    const Owned sealed(call::memory_create(quota(), page, 0).value_or(0)), code(call::memory_create(quota(), page, 0).value_or(0));
    REQUIRE(at && elsewhere && call::memory_seal(sealed.get()));
    CHECK(call::space_map(space(), 0, at, 0, page, read_write));
    *reinterpret_cast<volatile std::uint64_t*>(at) = 42;
    CHECK_ERROR(call::space_map(space(), sealed.get(), at, 0, page, read_write | replace), bad_state);
    CHECK(is_there(at));
    CHECK(call::space_map(space(), code.get(), elsewhere, 0, page, read_execute));
    CHECK_ERROR(call::space_map(space(), code.get(), at, 0, page, read_write | replace), bad_state);
    CHECK(is_there(at) && *reinterpret_cast<volatile std::uint64_t*>(at) == 42);
    // In place of the only executable mapping it is no clash.
    CHECK(call::space_map(space(), code.get(), elsewhere, 0, page, read_write | replace));
    CHECK(call::space_map(space(), code.get(), elsewhere, 0, page, read_execute | replace));
    CHECK(call::space_unmap(space(), at, page) && call::space_unmap(space(), elsewhere, page));
    native::release_range(at, page);
    native::release_range(elsewhere, page);
}

KERNEL_USER_TEST(a_thread_without_a_slot_leaves_its_process_as_it_was) {
    static abi::Handle process, payer;
    payer = call::quota_create(quota(), 1 << 12).value_or(0);
    process = call::process_create(payer, budget()).value_or(0);
    REQUIRE(process);
    const std::uint64_t before = used_by(payer);
    {
        FullTable full;
        for (int i = 0; i < 100; ++i) CHECK_ERROR(call::thread_create(process, budget()), no_slots);
        full.empty();
    }
    CHECK(info_of(process).state == abi::ProcessState::created && info_of(process).threads == 0);
    // The tables of the threads' places may stay.
    CHECK(used_by(payer) <= before + 4);
    const auto thread = call::thread_create(process, budget());
    CHECK(thread);
    for (const auto handle : {*thread, process, payer}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(a_thread_that_never_ran_leaves_no_page) {
    const Owned payer(call::quota_create(quota(), 1 << 12).value_or(0));
    const Owned process(call::process_create(payer.get(), budget()).value_or(0));
    const Owned first(call::thread_create(process.get(), budget()).value_or(0)); // so that the process lives
    REQUIRE(first);
    const std::uint64_t before = used_by(payer.get());
    for (int i = 0; i < 200; ++i) {
        const auto thread = call::thread_create(process.get(), budget());
        REQUIRE(thread);
        if (i % 2) CHECK(call::thread_control(*thread, 1));
        CHECK(call::handle_close(*thread));
    }
    CHECK(used_by(payer.get()) <= before + 8);
}

KERNEL_USER_TEST(a_refused_interrupt_masks_nobodys_line) {
    const abi::Handle ports = native::granted("io_port"), root = native::granted("irq");
    constexpr std::uint64_t timer_line = 2;
    const auto start_timer = [&] {
        CHECK(call::io_port_write(ports, 0x43, 1, 0x30) && call::io_port_write(ports, 0x40, 1, 1193 & 0xff) && call::io_port_write(ports, 0x40, 1, 1193 >> 8));
    };
    const Owned irq(call::irq_create(root, quota(), timer_line, 0).value_or(0)), bell(call::notification_create(quota()).value_or(0));
    REQUIRE(irq && bell && call::irq_bind(irq.get(), bell.get(), 4));
    // Where the I/O APIC's select register keeps too few bits, these are the timer's.
    for (const std::uint64_t line : {128 + timer_line, std::uint64_t{24}, std::uint64_t{255}}) CHECK_ERROR(call::irq_create(root, quota(), line, 0), bad_argument);
    start_timer();
    CHECK(call::notification_wait(bell.get(), native::after_milliseconds(100'000)).value_or(0) == 4);
}

KERNEL_USER_TEST(who_watches_pays) {
    const Owned payer(call::quota_create(quota(), 1 << 10).value_or(0));
    const Owned process(call::process_create(payer.get(), budget()).value_or(0));
    const Owned looks(call::handle_duplicate(process.get(), abi::right::inspect, 0, 0).value_or(0));
    REQUIRE(looks);
    static abi::Handle bells[1000];
    for (auto& bell : bells) bell = call::notification_create(quota()).value_or(0);
    const std::uint64_t before = used_by(payer.get()), own = used_by(quota());
    for (const auto bell : bells) CHECK(call::process_watch(looks.get(), bell, 1));
    CHECK(used_by(payer.get()) == before && used_by(quota()) > own + 5);
    CHECK(call::process_kill(process.get(), 0));
    for (const auto bell : bells) CHECK(call::notification_wait(bell, abi::poll).value_or(0) == 1 && call::handle_close(bell));
}

namespace {

struct Destroyer {
    abi::Handle quota = 0;
    std::atomic<bool> begun = false, over = false;
    std::int32_t destroyed = -1, next = -1;
    static void run(void* argument) {
        auto& self = *static_cast<Destroyer*>(argument);
        const Owned bell(call::notification_create(kernel_test::quota()).value_or(0));
        self.begun = true;
        self.destroyed = error_of(call::quota_destroy(self.quota));
        self.next = error_of(call::notification_wait(bell.get(), native::after_milliseconds(100'000)));
        self.over = true;
    }
};

} // namespace

// The end of a quota is finished whatever comes; the kick is for what the thread does next.
KERNEL_USER_TEST(a_kick_within_the_end_of_a_quota_is_kept) {
    const auto on_first = [](std::uint32_t priority) { return call::budget_create(quota(), budget(), abi::BudgetParameters{1024, priority, 0, 0, 1}).value_or(0); };
    const Owned low(on_first(0)), middle(on_first(10)), high(on_first(20)), payer(call::quota_create(quota(), 1 << 12).value_or(0));
    // A process that cannot end while the one thread of it does not get the processor.
    const Owned process(call::process_create(payer.get(), low.get()).value_or(0)), its(call::process_space(process.get()).value_or(0)), code(call::memory_create(payer.get(), page, 0).value_or(0));
    REQUIRE(its && code && middle && high);
    CHECK(call::memory_write(code.get(), 0, std::as_bytes(std::span(loop_for_ever))));
    CHECK(call::space_map(its.get(), code.get(), code_at, 0, page, read_execute));
    const Owned thread(call::thread_create(process.get(), low.get()).value_or(0));
    static std::atomic<bool> go_on;
    go_on = false;
    auto* const hog = native::Thread::create([](void*) { while (!go_on) asm volatile("pause"); }, nullptr, {.budget = middle.get()}).value_or(nullptr);
    CHECK(call::thread_start(thread.get(), code_at, abi::stack_base, 0));
    Destroyer destroyer{payer.get()};
    auto* const destroys = native::Thread::create(Destroyer::run, &destroyer, {.budget = high.get()}).value_or(nullptr);
    REQUIRE(hog && destroys);
    // Whoever is better than all of them gives way by sleeping alone. The quota refuses when its end has begun, and a thread's time is counted when it stops: so it has come to its wait.
    const auto time = [&] {
        abi::ThreadInfo info{};
        CHECK(call::thread_inspect(destroys->handle(), info));
        return info.cpu_nanoseconds;
    };
    while (error_of(call::handle_close(call::notification_create(payer.get()).value_or(0))) == 0 || time() == 0) sleep(1);
    CHECK(destroyer.begun && destroyer.destroyed == -1);
    const std::uint64_t before = time();
    CHECK(call::thread_kick(destroys->handle()));
    while (time() == before) sleep(1);
    CHECK(destroyer.destroyed == -1);
    go_on = true;
    destroys->join();
    hog->join();
    CHECK(destroyer.destroyed == 0 && destroyer.next == static_cast<std::int32_t>(abi::Error::canceled));
}

namespace {

// Waiters whose deadlines come while they are moved to and fro between a private and a shared word: both halves of what a waiter waits at change.
struct Moved {
    static constexpr unsigned waiters = 12, rounds = 150;
    std::uint64_t own = 0, shared = 0;
    std::atomic<unsigned> left = waiters;
    static void run(void* argument) {
        auto& self = *static_cast<Moved*>(argument);
        for (unsigned i = 0; i < rounds; ++i) (void)call::futex_wait(self.own, 0, native::monotonic_nanoseconds() + 50'000 + i % 7 * 20'000, 2, native::any_futex_bits);
        --self.left;
    }
};

} // namespace

KERNEL_USER_TEST(a_wait_that_ends_while_it_is_moved_is_gone) {
    NEEDS_PROCESSORS(2);
    const Owned memory(call::memory_create(quota(), page, 0).value_or(0));
    static Moved moved;
    moved.left = Moved::waiters;
    moved.own = native::reserve_range(page).value_or(0);
    moved.shared = native::reserve_range(page).value_or(0);
    REQUIRE(memory && moved.own && moved.shared);
    CHECK(call::space_map(space(), 0, moved.own, 0, page, read_write) && call::space_map(space(), memory.get(), moved.shared, 0, page, read_write));
    for (const auto word : {moved.own, moved.shared}) *reinterpret_cast<volatile std::uint32_t*>(word) = 0;
    native::Thread* threads[Moved::waiters] = {};
    for (auto*& thread : threads) {
        thread = native::Thread::create(Moved::run, &moved).value_or(nullptr);
        REQUIRE(thread);
    }
    while (moved.left != 0)
        for (const auto& [from, to] : {std::pair(moved.own, moved.shared), std::pair(moved.shared, moved.own)}) CHECK(call::futex_wake(from, 0, 2, to, UINT32_MAX, native::any_futex_bits));
    for (auto* thread : threads) thread->join();
    for (const auto word : {moved.own, moved.shared}) {
        CHECK(call::futex_wake(word, UINT32_MAX, 2, 0, 0, native::any_futex_bits).value_or(99) == 0);
        CHECK(call::space_unmap(space(), word, page));
        native::release_range(word, page);
    }
}
