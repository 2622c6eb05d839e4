// The largest operations on spaces, memory, leases and waiting threads (bounded.hpp).
#include "kernel/tests/native/bounded.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t sparse = 128 * gibibyte; // what a Memory can have
constexpr std::uint64_t resident = 32 * mebibyte;

// Ranges of the guest half, whole tables of the second level from the top.
constexpr std::uint64_t guest_from = 512 * gibibyte, guest_to = 64 * tebibyte;

void ranges_of_nothing(Watch& watch) {
    const auto memory = call::memory_create(quota(), sparse, 0);
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(memory && guest);
    watch(K::space_map, "map sparse, shared", [&] { return done(call::space_map(*guest, *memory, guest_from, 0, sparse, read_write)); });
    watch(K::space_move, "move sparse, shared", [&] { return done(call::space_move(*guest, guest_from, guest_to, sparse)); });
    watch(K::space_protect, "protect sparse, shared", [&] { return done(call::space_protect(*guest, guest_to, sparse, protection::read)); });
    watch(K::space_unmap, "unmap sparse, shared", [&] { return done(call::space_unmap(*guest, guest_to, sparse)); });
    watch(K::space_map, "map sparse, private", [&] { return done(call::space_map(*guest, *memory, guest_from, 0, sparse, read_write | abi::map_flag::copy_on_write)); });
    watch(K::space_unmap, "unmap sparse, private", [&] { return done(call::space_unmap(*guest, guest_from, sparse)); });
    for (std::uint64_t i = 0; i < 64; ++i) CHECK(call::space_map(*guest, *memory, guest_from + i * sparse, 0, sparse, read_write));
    watch(K::memory_resize, "resize sparse, mapped 64 times", [&] { return done(call::memory_resize(*memory, 0)); });
    watch(K::space_unmap, "unmap 64 times sparse", [&] { return done(call::space_unmap(*guest, guest_from, 64 * sparse)); });
    constexpr std::uint64_t lowest = 1 * mebibyte, all = abi::guest_end - lowest;
    watch(K::space_map, "mark the half", [&] { return done(call::space_map(*guest, 0, lowest, 0, all, read_write)); });
    watch(K::space_protect, "protect the half", [&] { return done(call::space_protect(*guest, lowest, all, protection::read)); });
    watch(K::space_unmap, "unmap the half", [&] { return done(call::space_unmap(*guest, lowest, all)); });
    CHECK(call::space_map(*guest, 0, guest_from, 0, 63 * tebibyte, read_write));
    watch(K::space_move, "move 63 TiB of marks", [&] { return done(call::space_move(*guest, guest_from, guest_to, 63 * tebibyte)); });
    watch(K::space_unmap, "unmap 63 TiB of marks", [&] { return done(call::space_unmap(*guest, guest_to, 63 * tebibyte)); });
    // Not by the same distance within the tables, so that each page is marked by itself.
    CHECK(call::space_map(*guest, 0, guest_from, 0, gibibyte, read_write));
    watch(K::space_move, "move marks by a page", [&] { return done(call::space_move(*guest, guest_from, guest_to + page, gibibyte)); });
    watch(K::space_unmap, "unmap moved marks", [&] { return done(call::space_unmap(*guest, guest_to, 2 * gibibyte)); });
    CHECK(call::handle_close(*guest));
    CHECK(call::handle_close(*memory));
}

void ranges_of_pages(Watch& watch) {
    abi::Handle memory = 0;
    watch(K::memory_create, "populate a Memory", [&] { return (memory = call::memory_create(quota(), resident, abi::memory_flag::populate).value_or(0)) != 0; });
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(memory && guest);
    watch(K::space_map, "map pages, shared", [&] { return done(call::space_map(*guest, memory, guest_from, 0, resident, read_write)); });
    watch(K::space_move, "move pages", [&] { return done(call::space_move(*guest, guest_from, guest_to + page, resident)); });
    watch(K::space_protect, "protect pages", [&] { return done(call::space_protect(*guest, guest_to, resident + page, protection::read)); });
    watch(K::space_unmap, "unmap pages", [&] { return done(call::space_unmap(*guest, guest_to, resident + page)); });
    watch(K::space_map, "map pages, private", [&] { return done(call::space_map(*guest, memory, guest_from, 0, resident, read_write | abi::map_flag::copy_on_write)); });
    watch(K::space_map, "populate anonymous", [&] { return done(call::space_map(*guest, 0, guest_to, 0, resident, read_write | abi::map_flag::populate)); });
    abi::Handle copy = 0;
    watch(K::space_fork, "fork", [&] { return (copy = call::space_fork(*guest, quota()).value_or(0)) != 0; });
    watch(K::handle_close, "close a fork", [&] { return done(call::handle_close(copy)); });
    watch(K::space_unmap, "unmap anonymous", [&] { return done(call::space_unmap(*guest, guest_to, resident)); });
    watch(K::handle_close, "close a space", [&] { return done(call::handle_close(*guest)); });
    // In the own half, which other CPUs have loaded.
    const std::uint64_t at = native::reserve_range(resident).value_or(0);
    REQUIRE(at);
    watch(K::space_map, "populate anonymous, own half", [&] { return done(call::space_map(space(), 0, at, 0, resident, read_write | abi::map_flag::populate)); });
    watch(K::space_protect, "protect anonymous, own half", [&] { return done(call::space_protect(space(), at, resident, protection::read)); });
    watch(K::space_unmap, "unmap anonymous, own half", [&] { return done(call::space_unmap(space(), at, resident)); });
    CHECK(call::space_map(space(), memory, at, 0, resident, read_write));
    watch(K::memory_seal, "seal pages", [&] { return done(call::memory_seal(memory)); });
    CHECK(call::space_unmap(space(), at, resident));
    native::release_range(at, resident);
    watch(K::handle_close, "close pages", [&] { return done(call::handle_close(memory)); });
    abi::Handle run = 0;
    watch(K::memory_create, "create a contiguous Memory", [&] { return (run = call::memory_create(quota(), resident, abi::memory_flag::contiguous).value_or(0)) != 0; });
    watch(K::handle_close, "close a contiguous Memory", [&] { return done(call::handle_close(run)); });
    const auto shrinks = call::memory_create(quota(), resident, abi::memory_flag::populate);
    REQUIRE(shrinks);
    watch(K::memory_resize, "resize pages", [&] { return done(call::memory_resize(*shrinks, 0)); });
    CHECK(call::handle_close(*shrinks));
}

// The last reference goes where locks are held, or with what else had it.
void last_references(Watch& watch) {
    const auto populated = [] { return call::memory_create(quota(), resident, abi::memory_flag::populate).value_or(0); };
    const auto map_and_close = [](abi::Handle space, abi::Handle memory) {
        return call::space_map(space, memory, guest_from, 0, resident, read_write) && call::handle_close(memory);
    };
    auto guest = call::space_create(quota(), 0);
    REQUIRE(guest && map_and_close(*guest, populated()));
    watch(K::space_unmap, "unmap what only the mapping holds", [&] { return done(call::space_unmap(*guest, guest_from, resident)); });
    CHECK(map_and_close(*guest, populated()));
    watch(K::handle_close, "close a space with what only it holds", [&] { return done(call::handle_close(*guest)); });
    guest = call::space_create(quota(), 0);
    REQUIRE(guest);
    CHECK(call::space_map(*guest, 0, guest_from, 0, resident, read_write | abi::map_flag::populate));
    CHECK(call::restricted_attach(*guest) && call::handle_close(*guest));
    watch(K::restricted_attach, "detach the last of a space", [] { return done(call::restricted_attach(0)); });
    const auto sealed = populated();
    REQUIRE(sealed && call::memory_seal(sealed));
    abi::Handle slice = 0;
    watch(K::memory_slice, "slice all of a Memory", [&] { return (slice = call::memory_slice(quota(), sealed, 0, resident).value_or(0)) != 0; });
    REQUIRE(slice && call::handle_close(sealed));
    watch(K::handle_close, "close the last slice", [&] { return done(call::handle_close(slice)); });
    // Page by page over a large part of a sparse one.
    const auto scattered = call::memory_create(quota(), sparse, 0);
    REQUIRE(scattered);
    const std::byte one[] = {std::byte(1)};
    for (std::uint64_t at = 0; at < 2 * gibibyte; at += 2 * mebibyte) CHECK(call::memory_write(*scattered, at, one));
    watch(K::handle_close, "close scattered pages", [&] { return done(call::handle_close(*scattered)); });
    // What ended is paid back when the call returns.
    const auto payer = call::quota_create(quota(), 64 * mebibyte);
    REQUIRE(payer);
    const auto paid = call::memory_create(*payer, resident, abi::memory_flag::populate);
    const auto shows = call::space_create(quota(), 0);
    REQUIRE(paid && shows && map_and_close(*shows, *paid));
    abi::QuotaInfo left = {};
    CHECK(call::quota_inspect(*payer, left) && left.used_pages >= resident / page);
    CHECK(call::space_unmap(*shows, guest_from, resident));
    CHECK(call::quota_inspect(*payer, left) && left.used_pages == 0);
    CHECK(call::handle_close(*shows) && call::handle_close(*payer));
}

void many_mappings(Watch& watch) {
    constexpr std::uint64_t count = 4096;
    const auto lease = call::lease_create(quota(), 0);
    const auto memory = call::memory_create(quota(), page, abi::memory_flag::populate);
    const auto other = call::memory_create(quota(), 2 * page, abi::memory_flag::populate);
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(lease && memory && other && guest);
    const auto leased = call::handle_duplicate(*other, 0, 0, *lease);
    REQUIRE(leased);
    const auto map_all = [&](abi::Handle handle) {
        for (std::uint64_t i = 0; i < count; ++i) {
            if (!call::space_map(*guest, handle, guest_from + i * 2 * page, 0, page, read_write)) return false;
        }
        return true;
    };
    CHECK(map_all(*memory));
    watch(K::space_move, "move mappings", [&] { return done(call::space_move(*guest, guest_from, guest_to, 2 * count * page)); });
    watch(K::space_protect, "protect mappings", [&] { return done(call::space_protect(*guest, guest_to, 2 * count * page, protection::read)); });
    abi::Handle copy = 0;
    watch(K::space_fork, "fork mappings", [&] { return (copy = call::space_fork(*guest, quota()).value_or(0)) != 0; });
    watch(K::handle_close, "close a fork of mappings", [&] { return done(call::handle_close(copy)); });
    watch(K::memory_seal, "seal mappings", [&] { return done(call::memory_seal(*memory)); });
    watch(K::space_unmap, "unmap mappings", [&] { return done(call::space_unmap(*guest, guest_to, 2 * count * page)); });
    CHECK(map_all(*other));
    watch(K::memory_resize, "resize mappings", [&] { return done(call::memory_resize(*other, 0)); });
    CHECK(call::memory_resize(*other, 2 * page));
    CHECK(call::space_unmap(*guest, guest_from, 2 * count * page));
    CHECK(map_all(*leased));
    watch(K::lease_revoke, "revoke mappings", [&] { return done(call::lease_revoke(*lease)); });
    CHECK(map_all(*other));
    watch(K::handle_close, "close a space of mappings", [&] { return done(call::handle_close(*guest)); });
    for (const auto handle : {*lease, *memory, *other, *leased}) CHECK(call::handle_close(handle));
}

// Many threads that wait at one word, or until one time.
struct Crowd {
    static constexpr std::size_t count = 2048, most = 4096;
    std::uint32_t word = 0;
    std::uint32_t other = 0;
    std::uint64_t due = abi::never;
    std::atomic<std::size_t> asleep = 0;
    std::atomic<std::size_t> awake = 0;
    abi::Handle budget = 0;
    std::size_t size = 0;
    native::Thread* threads[most] = {};

    static void run(void* argument) {
        auto& self = *static_cast<Crowd*>(argument);
        ++self.asleep;
        if (self.due != abi::never)
            (void)native::futex_wait(&self.other, 0, self.due);
        while (self.due == abi::never && __atomic_load_n(&self.other, __ATOMIC_SEQ_CST) == 0) (void)native::futex_wait(&self.word, 0);
        ++self.awake;
    }
    void start(std::uint64_t until, std::size_t of = count) {
        due = until;
        size = of;
        asleep = awake = 0;
        __atomic_store_n(&other, 0, __ATOMIC_SEQ_CST);
        for (std::size_t i = 0; i < size; ++i) {
            threads[i] = native::Thread::create(run, this, {.budget = budget}).value_or(nullptr);
            REQUIRE(threads[i]);
        }
        // They have the priority of whoever starts them, who comes back when all of them wait.
        for (std::size_t i = 0; i < 4; ++i) (void)call::thread_yield();
    }
    void join() {
        for (std::size_t i = 0; i < size; ++i) {
            if (threads[i]) threads[i]->join();
            threads[i] = nullptr;
        }
        CHECK(awake == size);
    }
};
Crowd crowd;

void many_waiters(Watch& watch) {
    crowd.budget = budget_of(1, 1);
    REQUIRE(crowd.budget);
    watch(K::futex_wait, "wait at one word", [] {
        crowd.start(abi::never);
        return true;
    });
    const auto at = reinterpret_cast<std::uint64_t>(&crowd.word), to = reinterpret_cast<std::uint64_t>(&crowd.other);
    watch(K::futex_wake, "move waiters to another word", [&] { return call::futex_wake(at, 0, 0, to, UINT32_MAX, native::any_futex_bits).value_or(0) >> 32 == Crowd::count; });
    CHECK(call::futex_wake(at, UINT32_MAX, 0, 0, 0, native::any_futex_bits).value_or(99) == 0);
    __atomic_store_n(&crowd.other, 1, __ATOMIC_SEQ_CST);
    watch(K::futex_wake, "wake waiters", [&] { return call::futex_wake(to, UINT32_MAX, 0, 0, 0, native::any_futex_bits).value_or(0) == Crowd::count; });
    crowd.join();
    CHECK(call::handle_close(crowd.budget));
}

// Below the watchers, and more than are woken in a millisecond.
void many_sleepers(Watch& watch) {
    crowd.budget = budget_of(0, 1);
    const auto pause = call::notification_create(quota());
    REQUIRE(crowd.budget && pause);
    crowd.start(native::after_milliseconds(2000), Crowd::most);
    while (crowd.asleep != Crowd::most) (void)call::notification_wait(*pause, native::after_milliseconds(1));
    // Where the clock is the machine's, making them may take longer.
    CHECK(cpus_that_count() == 0 || native::monotonic_nanoseconds() < crowd.due);
    watch({K::thread_yield, K::notification_wait}, "sleepers until one time", [&] {
        // Whoever does nothing but yield does not keep the timer from going off. With several processors the emulator would give the others no turn meanwhile.
        while (cpus_that_count() < 2 && native::monotonic_nanoseconds() < crowd.due + 3 * native::nanoseconds_per_millisecond) (void)call::thread_yield();
        while (crowd.awake != Crowd::most) (void)call::notification_wait(*pause, native::after_milliseconds(1));
        return true;
    }, cpus_that_count() >= 2 ? "for the emulator gives the other processors no turn while this one sets its timer again and again" : nullptr);
    crowd.join();
    for (const auto handle : {*pause, crowd.budget}) CHECK(call::handle_close(handle));
}

std::uint32_t threads() {
    abi::ProcessInfo info{};
    CHECK(call::process_inspect(native::self().process, info));
    return info.threads;
}

// Becoming ready behind many others of the fair band costs what it costs behind few.
void many_ready(Watch&) {
    constexpr std::size_t part = 64;
    crowd.budget = budget_of(0, 1);
    REQUIRE(crowd.budget);
    const std::uint32_t before = threads();
    crowd.start(abi::never);
    const auto pause = call::notification_create(quota());
    REQUIRE(pause);
    std::uint64_t first = 0, last = 0;
    // Whoever is woken waits again: until all of them waited at once. A slow machine needs the longer pauses.
    for (std::uint64_t woken = 0, milliseconds = 10; woken != Crowd::count; milliseconds *= 2) {
        (void)call::notification_wait(*pause, native::after_milliseconds(milliseconds));
        woken = first = 0;
        for (std::size_t all = part; all == part && woken != Crowd::count; woken += all) {
            const std::uint64_t begin = native::monotonic_nanoseconds();
            all = call::futex_wake(reinterpret_cast<std::uint64_t>(&crowd.word), part, 0, 0, 0, native::any_futex_bits).value_or(0);
            last = native::monotonic_nanoseconds() - begin;
            if (woken == 0) first = last;
        }
    }
    if (cpus_that_count() != 0) {
        native::print("bounded ready: ", first / part, " ns for the first, ", last / part, " ns for the last of ", Crowd::count);
        CHECK(last < 2 * first);
    }
    __atomic_store_n(&crowd.other, 1, __ATOMIC_SEQ_CST);
    crowd.join();
    // Who is above them takes the processor from them on their way out.
    while (threads() > before) (void)call::notification_wait(*pause, native::after_milliseconds(10));
    for (const auto handle : {*pause, crowd.budget}) CHECK(call::handle_close(handle));
}

// What a revocation and the end of a process go over.
void many_names(Watch& watch) {
    constexpr std::size_t count = 16384;
    const auto payer = call::quota_create(quota(), 64 * mebibyte);
    REQUIRE(payer);
    const auto top = call::lease_create(*payer, 0);
    REQUIRE(top);
    static abi::Handle leases[count];
    for (auto& lease : leases) {
        lease = call::lease_create(*payer, *top).value_or(0);
        if (!lease) fail("a lease", __FILE__, __LINE__);
    }
    watch(K::lease_revoke, "revoke a lease above many", [&] { return done(call::lease_revoke(*top)); });
    CHECK_ERROR(call::lease_create(*payer, leases[count - 1]), revoked);
    watch(K::handle_close, "close many leases", [] { return std::ranges::all_of(leases, [](abi::Handle lease) { return done(call::handle_close(lease)); }); });
    CHECK(call::handle_close(*top) && call::handle_close(*payer));
}

// The time of the last of many is that of the first, or little more.
void many_watches(Watch& watch) {
    constexpr std::size_t count = 4096, part = 128;
    const auto payer = call::quota_create(quota(), 64 * mebibyte);
    REQUIRE(payer);
    const auto process = call::process_create(*payer, budget());
    REQUIRE(process);
    static abi::Handle bells[count];
    for (auto& bell : bells) bell = call::notification_create(*payer).value_or(0);
    std::uint64_t first = 0, last = 0;
    for (std::size_t i = 0; i < count; i += part) {
        const std::uint64_t begin = native::monotonic_nanoseconds();
        for (std::size_t k = i; k < i + part; ++k) {
            if (!call::process_watch(*process, bells[k], 1)) fail("a watch", __FILE__, __LINE__);
        }
        last = native::monotonic_nanoseconds() - begin;
        if (i == 0) first = last;
    }
    watch(K::process_watch, "watch a process that many watch", [&] { return error_of(call::process_watch(*process, bells[count / 2], 2)) == static_cast<std::int32_t>(abi::Error::exists); });
    if (cpus_that_count() != 0) {
        native::print("bounded watches: ", first / part, " ns for the first, ", last / part, " ns for the last of ", count);
        CHECK(last < 2 * first);
    }
    CHECK(call::process_kill(*process, 0));
    for (const auto bell : bells) CHECK(call::notification_wait(bell, abi::poll).value_or(0) == 1 && call::handle_close(bell));
    CHECK(call::handle_close(*process) && call::handle_close(*payer));
}

// What is copied need not cost anything: a hole, over few frames that are mapped many times.
void large_copies(Watch& watch) {
    constexpr std::uint64_t length = 64 * mebibyte;
    const auto hole = call::memory_create(quota(), sparse, 0);
    const auto window = call::memory_create(quota(), mebibyte, abi::memory_flag::populate);
    const std::uint64_t at = native::reserve_range(length).value_or(0);
    REQUIRE(hole && window && at);
    for (std::uint64_t offset = 0; offset < length; offset += mebibyte) CHECK(call::space_map(space(), *window, at + offset, 0, mebibyte, read_write));
    watch(K::memory_read, "read a hole", [&] { return done(call::memory_read(*hole, sparse / 2, {reinterpret_cast<std::byte*>(at), length})); });
    const auto target = call::memory_create(quota(), resident, 0);
    REQUIRE(target);
    watch(K::memory_write, "write pages", [&] { return done(call::memory_write(*target, 0, {reinterpret_cast<const std::byte*>(at), resident})); });
    CHECK(call::space_unmap(space(), at, length));
    for (const auto handle : {*hole, *window, *target}) CHECK(call::handle_close(handle));
    native::release_range(at, length);
}

// The kernel looks for a place for the thread's page where the program has mapped all there is.
void no_place_for_a_thread(Watch& watch) {
    constexpr std::uint64_t first = abi::thread_pages_base, end = abi::personality_end - page, of_threads = 64 * page;
    const auto page_of = [](abi::Handle thread) {
        abi::ThreadInfo info{};
        CHECK(call::thread_inspect(thread, info));
        return info.thread_page;
    };
    const auto other = call::thread_create(native::self().process, budget());
    REQUIRE(other);
    bool mapped[64] = {};
    for (std::uint64_t i = 0; i < 64; ++i) mapped[i] = call::space_map(space(), 0, first + i * page, 0, page, protection::read).has_value();
    CHECK(call::space_map(space(), 0, first + of_threads, 0, end - first - of_threads, protection::read));
    // What is one mark is passed over at once; so there are many.
    constexpr std::uint64_t marks = 32'768;
    for (std::uint64_t i = 0; i < marks; i += 2) CHECK(call::space_protect(space(), first + of_threads + i * page, page, protection::none));
    watch(K::thread_create, "create a thread without a place", [] { return !call::thread_create(native::self().process, budget()); });
    // What the program gives up itself, below where places were found last, is one.
    CHECK(call::space_unmap(space(), page_of(*other), page));
    const auto last = call::thread_create(native::self().process, budget());
    CHECK(last && page_of(*last) == page_of(*other));
    for (const auto& thread : {last, other}) CHECK(thread && call::handle_close(*thread));
    for (std::uint64_t i = 0; i < 64; ++i)
        if (mapped[i]) CHECK(call::space_unmap(space(), first + i * page, page));
    CHECK(call::space_unmap(space(), first + of_threads, end - first - of_threads));
}

// The deepest chain that there may be, and no deeper than `most`. The last of it; the first stays where `first` asks for it.
template <class Make> abi::Handle deep_chain(std::size_t most, abi::Handle* first, Make&& make) {
    abi::Handle last = abi::no_handle;
    for (std::size_t i = 0; i < most; ++i) {
        const auto next = make(last);
        if (!next) break;
        if (i == 0 && first) *first = *next;
        else if (last != abi::no_handle && (!first || last != *first)) (void)call::handle_close(last);
        last = *next;
    }
    return last;
}

// What a charge goes up, and a capability that comes under a lease.
void deep_chains(Watch& watch) {
    abi::Handle payer = 0;
    watch(K::quota_create, "chain quotas", [&] { return (payer = deep_chain(5'000, nullptr, [](abi::Handle last) { return call::quota_create(last ? last : quota(), 1 << 20); })) != 0; });
    REQUIRE(payer);
    abi::Handle memory = 0;
    watch(K::memory_create, "populate below many quotas", [&] { return (memory = call::memory_create(payer, 4 * mebibyte, abi::memory_flag::populate).value_or(0)) != 0; });
    watch(K::handle_close, "close what many quotas paid", [&] { return done(call::handle_close(memory)); });
    CHECK(call::handle_close(payer));

    abi::Handle top = 0;
    abi::Handle low = 0;
    watch(K::lease_create, "chain leases", [&] { return (low = deep_chain(300'000, &top, [](abi::Handle last) { return call::lease_create(quota(), last); })) != 0; });
    const auto bell = call::notification_create(quota());
    REQUIRE(low && bell);
    const auto leased = call::handle_duplicate(*bell, 0, 0, top);
    REQUIRE(leased);
    abi::Handle copy = 0;
    watch(K::handle_duplicate, "duplicate below many leases", [&] { return (copy = call::handle_duplicate(*leased, 0, 0, low).value_or(0)) != 0; });
    watch(K::lease_revoke, "revoke the top of many leases", [&] { return done(call::lease_revoke(top)); });
    for (const auto handle : {copy, *leased, *bell, low, top}) CHECK(call::handle_close(handle));
}

// Each mapping is the last thing that holds a Memory, the chain of quotas that paid for it, and the chain of leases that it was mapped under.
void chains_below_mappings(Watch& watch) {
    constexpr std::size_t count = 96, quotas = 16, leases = 64;
    const std::uint64_t at = native::reserve_range(count * page).value_or(0);
    REQUIRE(at);
    for (std::size_t i = 0; i < count; ++i) {
        const native::Owned payer(deep_chain(quotas, nullptr, [](abi::Handle last) { return call::quota_create(last ? last : quota(), 64); }));
        const native::Owned lease(deep_chain(leases, nullptr, [](abi::Handle last) { return call::lease_create(quota(), last); }));
        const native::Owned memory(call::memory_create(payer.get(), page, 0).value_or(0));
        const native::Owned leased(call::handle_duplicate(memory.get(), 0, 0, lease.get()).value_or(0));
        CHECK(call::space_map(space(), leased.get(), at + i * page, 0, page, read_write));
    }
    watch(K::space_unmap, "unmap the last that holds chains", [&] { return done(call::space_unmap(space(), at, count * page)); });
    // Some dozens of ends at a time, and not those of all that a step lets go of.
    CHECK(watch.last() < limit / 10);
    native::release_range(at, count * page);
}

} // namespace

KERNEL_USER_TEST(bounded_many_waiters) { run_below(many_waiters); }
KERNEL_USER_TEST(bounded_many_sleepers) { run_below(many_sleepers); }
KERNEL_USER_TEST(bounded_many_names) { run_below(many_names); }
KERNEL_USER_TEST(bounded_many_ready) { run_below(many_ready); }
KERNEL_USER_TEST(bounded_many_watches) { run_below(many_watches); }
KERNEL_USER_TEST(bounded_ranges_of_nothing) { run_below(ranges_of_nothing); }
KERNEL_USER_TEST(bounded_ranges_of_pages) { run_below(ranges_of_pages); }
KERNEL_USER_TEST(bounded_last_references) { run_below(last_references); }
KERNEL_USER_TEST(bounded_many_mappings) { run_below(many_mappings); }
KERNEL_USER_TEST(bounded_large_copies) { run_below(large_copies); }
KERNEL_USER_TEST(bounded_no_place_for_a_thread) { run_below(no_place_for_a_thread); }
KERNEL_USER_TEST(bounded_deep_chains) { run_below(deep_chains); }
KERNEL_USER_TEST(bounded_chains_below_mappings) { run_below(chains_below_mappings); }
