// The ends of what has very much (bounded.hpp): processes of many threads and handles, ports of many sources. And that no call was forgotten.
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "abi/thread_page.hpp"
#include "kernel/tests/native/bounded.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t code_at = abi::program_base;
constexpr unsigned char number_of(K call) { return static_cast<unsigned char>(call); }

constexpr unsigned char leave[] = {0x31, 0xff, 0xb8, number_of(K::process_exit), 0, 0, 0, 0x0f, 0x05}; // xor %edi,%edi; mov $number,%eax; syscall
constexpr unsigned char wait_until_revoked[] = {
    0x48, 0x89, 0xfd,                                        // mov %rdi,%rbp
    0x48, 0x89, 0xef,                                        // mov %rbp,%rdi
    0x48, 0xc7, 0xc6, 0xff, 0xff, 0xff, 0xff,                // mov $-1,%rsi
    0xb8, number_of(K::notification_wait), 0, 0, 0, 0x0f, 0x05, // mov $number,%eax; syscall
    0x48, 0x85, 0xc0,                                        // test %rax,%rax
    0x79, 0xea,                                              // jns to the second line
    0xb8, number_of(K::thread_exit), 0, 0, 0, 0x0f, 0x05};   // mov $number,%eax; syscall

// A process with the code, and who is told of its end.
struct Crowded {
    abi::Handle process = 0, over = 0;

    base::Result<void> make(std::span<const unsigned char> code) {
        process = TRY(call::process_create(quota(), budget()));
        over = TRY(call::notification_create(quota()));
        const auto its_space = TRY(call::process_space(process));
        const auto memory = TRY(call::memory_create(quota(), page, 0));
        TRY(call::memory_write(memory, 0, std::as_bytes(code)));
        TRY(call::space_map(its_space, memory, code_at, 0, page, protection::read | protection::execute));
        TRY(call::process_watch(process, over, 1));
        TRY(call::handle_close(its_space));
        return call::handle_close(memory);
    }
    // The thread's handle is nobody's: it holds itself while it runs.
    base::Result<void> start(abi::Handle payer, std::uint64_t argument) const {
        const auto thread = TRY(call::thread_create(process, payer));
        TRY(call::thread_start(thread, code_at, abi::stack_base, argument));
        return call::handle_close(thread);
    }
    bool ended() const { return call::notification_wait(over, abi::never).has_value(); }
    std::uint32_t threads() const {
        abi::ProcessInfo info{};
        CHECK(call::process_inspect(process, info));
        return info.threads;
    }
    void close() const {
        for (const auto handle : {process, over}) CHECK(call::handle_close(handle));
    }
};

// They wait for a bell, are woken one by one, and end by a kill or by what they wait under.
void many_threads(Watch& watch) {
    constexpr std::size_t count = 4'000, signals = 512;
    const abi::Handle low = budget_of(1, 1);
    REQUIRE(low);
    for (const bool revoked : {false, true}) {
        Crowded crowd;
        const auto bell = call::notification_create(quota());
        const auto lease = call::lease_create(quota(), 0);
        REQUIRE(crowd.make(wait_until_revoked) && bell && lease);
        const auto granted = call::process_grant(crowd.process, *bell, 0, *lease);
        REQUIRE(granted);
        watch({K::thread_create, K::thread_start}, "start many threads", [&] {
            for (std::size_t i = 0; i < count; ++i)
                if (!crowd.start(low, *granted)) return false;
            return true;
        });
        watch({K::notification_signal, K::notification_wait, K::thread_yield}, "signal where many wait", [&] {
            for (std::size_t i = 0; i < signals; ++i)
                if (!call::notification_signal(*bell, 1) || !call::thread_yield()) return false;
            return true;
        });
        CHECK(crowd.threads() == count);
        if (revoked)
            watch({K::lease_revoke, K::thread_exit}, "revoke what many threads wait under, and they end", [&] { return call::lease_revoke(*lease) && crowd.ended(); });
        else
            watch(K::process_kill, "kill a process of many threads", [&] { return call::process_kill(crowd.process, 9) && crowd.ended(); });
        crowd.close();
        for (const auto handle : {*bell, *lease}) CHECK(call::handle_close(handle));
    }
    CHECK(call::handle_close(low));
}

// As many as a table takes.
void many_handles(Watch& watch) {
    const abi::Handle low = budget_of(1, 1);
    const auto memory = call::memory_create(quota(), page, 0);
    REQUIRE(low && memory);
    enum class Way { kill, kill_before_the_start, exit };
    for (const Way way : {Way::kill, Way::kill_before_the_start, Way::exit}) {
        Crowded crowd;
        REQUIRE(crowd.make(leave));
        watch(K::process_grant, "fill a table of handles", [&] {
            for (;;)
                if (const auto granted = call::process_grant(crowd.process, *memory, 0, 0); !granted) return granted.error() == abi::Error::no_slots;
        });
        const auto unstarted = way == Way::kill_before_the_start ? call::thread_create(crowd.process, low) : base::Result<abi::Handle>(abi::no_handle);
        REQUIRE(unstarted);
        if (way == Way::exit)
            watch(K::process_exit, "exit with a full table", [&] { return crowd.start(low, 0) && crowd.ended(); });
        else
            watch(K::process_kill, way == Way::kill ? "kill a process with a full table" : "kill a process with a full table and a thread that never ran",
                  [&] { return call::process_kill(crowd.process, 9) && crowd.ended(); });
        if (*unstarted != abi::no_handle) CHECK(call::handle_close(*unstarted));
        crowd.close();
    }
    for (const auto handle : {low, *memory}) CHECK(call::handle_close(handle));
}

void many_sources(Watch& watch) {
    constexpr std::size_t count = 30'000;
    static abi::Handle bells[count];
    static abi::PortEvent events[64];
    for (const bool revoked : {false, true}) {
        const auto lease = call::lease_create(quota(), 0);
        REQUIRE(lease);
        abi::Handle port = 0;
        for (auto& bell : bells) {
            const auto whole = call::notification_create(quota());
            REQUIRE(whole);
            bell = call::handle_duplicate(*whole, 0, 0, *lease).value_or(0);
            REQUIRE(bell && call::handle_close(*whole));
        }
        watch({K::port_create, K::port_bind}, "bind many sources", [&] {
            port = call::port_create(quota()).value_or(0);
            return std::ranges::all_of(bells, [&](abi::Handle bell) { return done(call::port_bind(port, bell, 7)); });
        });
        watch({K::notification_signal, K::port_wait}, "take many events", [&] {
            for (const auto bell : bells)
                if (!call::notification_signal(bell, 1)) return false;
            std::size_t taken = 0;
            while (const auto some = call::port_wait(port, std::as_writable_bytes(std::span(events)), abi::poll)) taken += *some;
            return taken == count;
        });
        if (revoked) watch(K::lease_revoke, "revoke many bindings", [&] { return done(call::lease_revoke(*lease)); });
        watch(K::handle_close, revoked ? "close a port of many ended bindings" : "close a port of many sources", [&] { return done(call::handle_close(port)); });
        watch(K::handle_close, "close many sources", [&] { return std::ranges::all_of(bells, [](abi::Handle bell) { return done(call::handle_close(bell)); }); });
        CHECK(call::handle_close(*lease));
    }
}

void many_objects(Watch& watch) {
    constexpr std::size_t count = 2'000;
    static abi::Handle made[count];
    const auto payer = call::quota_create(quota(), 64 * mebibyte);
    REQUIRE(payer);
    const auto watch_making = [&](K call, const char* name, auto&& make) {
        watch({call, K::handle_close}, name, [&] {
            for (auto& each : made)
                if (!(each = make().value_or(0))) return false;
            return std::ranges::all_of(made, [](abi::Handle each) { return done(call::handle_close(each)); });
        });
    };
    watch_making(K::endpoint_create, "make many endpoints", [&] { return call::endpoint_create(*payer); });
    watch_making(K::notification_create, "make many notifications", [&] { return call::notification_create(*payer); });
    watch_making(K::space_create, "make many spaces", [&] { return call::space_create(*payer, 0); });
    watch_making(K::process_create, "make many processes", [&] { return call::process_create(*payer, budget()); });
    CHECK(call::handle_close(*payer));
}

// More of them than there may be at once are at work on the space in which each thread's page is looked for a place.
struct Works {
    static constexpr std::size_t count = 200;
    static constexpr std::uint64_t bytes = gibibyte;
    std::uint64_t at = 0;
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> over = false;
    native::Thread* threads[count] = {};

    static void run(void* argument) {
        auto& self = *static_cast<Works*>(argument);
        const std::uint64_t own = self.at + self.next++ * bytes;
        while (!self.over)
            for (const auto each : {protection::read, read_write}) CHECK(call::space_protect(space(), own, bytes, each));
    }
};

void many_works(Watch& watch) {
    static Works works;
    const abi::Handle low = budget_of(0, 1);
    works.at = native::reserve_range(Works::count * Works::bytes).value_or(0);
    works.next = 0;
    works.over = false;
    REQUIRE(low && works.at);
    CHECK(call::space_map(space(), 0, works.at, 0, Works::count * Works::bytes, read_write));
    for (auto*& thread : works.threads) {
        thread = native::Thread::create(Works::run, &works, {.budget = low}).value_or(nullptr);
        REQUIRE(thread);
    }
    const auto pause = call::notification_create(quota());
    REQUIRE(pause);
    while (works.next != Works::count) (void)call::notification_wait(*pause, native::after_milliseconds(1));
    watch(K::thread_create, "create threads beside many works on the space", [&] {
        for (unsigned i = 0; i < 64; ++i) {
            const auto thread = call::thread_create(native::self().process, low);
            if (!thread || !call::handle_close(*thread)) return false;
        }
        return true;
    });
    works.over = true;
    for (auto* thread : works.threads) thread->join();
    CHECK(call::space_unmap(space(), works.at, Works::count * Works::bytes));
    native::release_range(works.at, Works::count * Works::bytes);
    for (const auto handle : {*pause, low}) CHECK(call::handle_close(handle));
}

} // namespace

KERNEL_USER_TEST(bounded_many_threads) { run_below(many_threads); }
KERNEL_USER_TEST(bounded_many_handles) { run_below(many_handles); }
KERNEL_USER_TEST(bounded_many_sources) { run_below(many_sources); }
KERNEL_USER_TEST(bounded_many_objects) { run_below(many_objects); }
KERNEL_USER_TEST(bounded_many_works) { run_below(many_works); }

// The last of them in the program: those of the files before have run.
KERNEL_USER_TEST(bounded_every_call_has_a_place) {
    if (const std::string_view only = native::argument("only"); !only.empty() && only != "bounded") return skip("only some of the tests ran");
    for (std::uint32_t number = 0; number < abi::kernel_call_limit; ++number) {
        const std::string_view name = abi::kernel_call_name(number);
        if (name != "unknown" && !watched_calls.has(static_cast<K>(number))) fail(name.data(), __FILE__, __LINE__);
    }
}

namespace {

native::Owned lease_under(abi::Handle parent) { return native::Owned(call::lease_create(quota(), parent).value_or(0)); }
abi::Handle crowded_lease;

} // namespace

// Each lease is walked once, however many revoke it, or one below it, at the same time.
KERNEL_USER_TEST(bounded_revocations_of_one_lease) {
    constexpr std::uint64_t below = 12'000, revokers = 64;
    struct Tree {
        native::Owned top = lease_under(0);
        std::array<native::Owned, below> all;
        Tree() {
            for (native::Owned& lease : all) lease = lease_under(top.get());
        }
    };
    const auto taken = [](auto&& what) {
        const std::uint64_t begin = native::monotonic_nanoseconds();
        what();
        return native::monotonic_nanoseconds() - begin;
    };
    const auto trees = std::make_unique<std::array<Tree, 2>>();
    const Tree &alone = (*trees)[0], &crowded = (*trees)[1];
    REQUIRE(alone.all.back() && crowded.all.back());
    const std::uint64_t once = taken([&] { CHECK(call::lease_revoke(alone.top.get())); });
    const std::uint64_t again = taken([&] { CHECK(call::lease_revoke(alone.top.get())); });
    CHECK(cpus_that_count() != 1 || again < once / 10);
    crowded_lease = crowded.top.get();
    std::array<native::Thread*, revokers> threads{};
    const std::uint64_t together = taken([&] {
        for (native::Thread*& thread : threads) thread = native::Thread::create([](void*) { CHECK(call::lease_revoke(crowded_lease)); }, nullptr).value_or(nullptr);
        for (native::Thread* const thread : threads) {
            REQUIRE(thread);
            thread->join();
        }
    });
    // Beside the walk there are the threads, and the longest sleep between two looks.
    CHECK(cpus_that_count() != 1 || together < 2 * once + 10 * native::nanoseconds_per_millisecond);
    CHECK(cpus_that_count() != 1 || revokers * once > 2 * (2 * once + 10 * native::nanoseconds_per_millisecond));
    for (const native::Owned& lease : crowded.all) CHECK_ERROR(call::lease_create(quota(), lease.get()), revoked);
}
