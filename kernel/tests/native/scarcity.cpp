// Calls that charge a quota, with one that ends a little further on each time: it refuses with no_memory, takes nothing, and works once there is enough.
#include <iterator>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write;
constexpr std::uint64_t most_pages = 64;
constexpr unsigned most_fillers = 48; // about a page of the smallest objects
// In the guest half, far enough from each other that each needs tables of its own.
constexpr std::uint64_t guest_at = 0x10'0000'0000, guest_far = 0x7000'0000'0000;

// What one attempt made: closed at its end, whether or not it was whole.
struct Handles {
    abi::Handle kept[16] = {};
    unsigned count = 0;

    ~Handles() {
        while (count > 0) (void)call::handle_close(kept[--count]);
    }
    base::Result<abi::Handle> operator()(const base::Result<abi::Handle>& made) {
        if (made) kept[count++] = *made;
        return made;
    }
};

using Attempt = base::Result<void> (*)(abi::Handle payer);

base::Result<void> objects(abi::Handle payer) {
    Handles keep;
    const auto lease = TRY(keep(call::lease_create(payer, 0)));
    TRY(keep(call::lease_create(payer, lease)));
    TRY(keep(call::endpoint_create(payer)));
    const auto port = TRY(keep(call::port_create(payer)));
    const auto notification = TRY(keep(call::notification_create(payer)));
    TRY(call::port_bind(port, notification, 1));
    TRY(keep(call::quota_create(payer, 1)));
    TRY(keep(call::io_space_create(native::granted("io_space"), payer)));
    TRY(keep(call::io_port_slice(native::granted("io_port"), payer, 0x80, 1)));
    const auto irq = TRY(keep(call::irq_create(native::granted("irq"), payer, ~std::uint64_t{0}, 0)));
    TRY(call::irq_bind(irq, notification, 1));
    return {};
}

base::Result<void> processes(abi::Handle payer) {
    Handles keep;
    const auto its_budget = TRY(keep(call::budget_create(payer, budget(), abi::BudgetParameters{.weight = 1})));
    const auto process = TRY(keep(call::process_create(payer, its_budget)));
    const auto notification = TRY(keep(call::notification_create(payer)));
    TRY(call::process_watch(process, notification, 1));
    TRY(call::process_grant(process, notification, 0, 0));
    const auto its_space = TRY(keep(call::process_space(process)));
    TRY(call::space_map(its_space, 0, abi::program_base, 0, page, read_write | abi::map_flag::populate));
    for (int i = 0; i < 3; ++i) TRY(keep(call::thread_create(process, its_budget)));
    (void)call::process_kill(process, 0);
    return {};
}

base::Result<void> memories(abi::Handle payer) {
    Handles keep;
    const std::uint64_t word = 7;
    const auto bytes = std::as_bytes(std::span(&word, 1));
    const auto memory = TRY(keep(call::memory_create(payer, page, abi::memory_flag::populate)));
    TRY(call::memory_resize(memory, std::uint64_t{8} << 30));
    // Each in a table of its own.
    TRY(call::memory_write(memory, std::uint64_t{5} << 30, bytes));
    TRY(call::memory_write(memory, 2 * page, bytes));
    TRY(keep(call::memory_create(payer, 4 * page, abi::memory_flag::contiguous)));
    TRY(call::memory_seal(memory));
    TRY(keep(call::memory_slice(payer, memory, 0, page)));
    return {};
}

base::Result<void> spaces(abi::Handle payer) {
    Handles keep;
    const auto guest = TRY(keep(call::space_create(payer, 0)));
    const auto memory = TRY(keep(call::memory_create(payer, 8 * page, 0)));
    TRY(call::space_map(guest, 0, guest_at, 0, 4 * page, read_write | abi::map_flag::populate));
    TRY(call::space_map(guest, memory, guest_far, 0, 8 * page, read_write | abi::map_flag::populate));
    TRY(call::space_map(guest, memory, guest_at + 8 * page, 0, 8 * page, read_write | abi::map_flag::copy_on_write | abi::map_flag::populate));
    // Leaves two mappings, or three, where there was one.
    TRY(call::space_protect(guest, guest_far + 2 * page, 2 * page, protection::read));
    TRY(call::space_unmap(guest, guest_far + 5 * page, page));
    TRY(call::space_move(guest, guest_at + page, guest_far + (std::uint64_t{1} << 40), 2 * page));
    const auto copy = TRY(keep(call::space_fork(guest, payer)));
    TRY(call::space_map(copy, 0, guest_at + (std::uint64_t{1} << 32), 0, page, read_write | abi::map_flag::populate));
    TRY(call::space_unmap(copy, guest_at, 4 * page));
    return {};
}

// Whether the attempt was refused; for another reason than the quota's end is a failure.
bool refused(Attempt attempt, abi::Handle payer) {
    const auto result = attempt(payer);
    if (!result) CHECK_ERROR(result, no_memory);
    return !result;
}

// A quota of one page and more, of which `fillers` objects have taken some bytes: pages and objects fail at other places with each.
bool attempt_within(Attempt attempt, std::uint64_t pages, unsigned fillers) {
    const auto small = call::quota_create(quota(), pages);
    if (!small) return false;
    abi::Handle kept[most_fillers];
    unsigned count = 0;
    for (; count < fillers; ++count) {
        const auto made = call::notification_create(*small);
        if (!made) break;
        kept[count] = *made;
    }
    const bool again = count < fillers || refused(attempt, *small);
    while (count > 0) CHECK(call::handle_close(kept[--count]));
    CHECK(call::handle_close(*small));
    return again;
}

void attempt_with_little(Attempt attempt, unsigned step) {
    // What the first success leaves in caches of the kernel, and the slots for so many handles, are no loss of an attempt.
    CHECK(!attempt_within(attempt, most_pages, most_fillers));
    unsigned refusals = 0;
    leaves_nothing_behind([&] {
        for (unsigned fillers = 0; fillers < most_fillers; fillers += step) {
            std::uint64_t pages = 1;
            while (pages < most_pages && attempt_within(attempt, pages, fillers)) ++pages, ++refusals;
            CHECK(pages < most_pages);
        }
    });
    CHECK(refusals > 0);
}

} // namespace

KERNEL_USER_TEST(objects_are_not_made_where_a_quota_ends) { attempt_with_little(objects, 1); }
KERNEL_USER_TEST(processes_are_not_made_where_a_quota_ends) { attempt_with_little(processes, 3); }
KERNEL_USER_TEST(memories_are_not_made_where_a_quota_ends) { attempt_with_little(memories, 3); }
KERNEL_USER_TEST(spaces_are_not_made_where_a_quota_ends) { attempt_with_little(spaces, 3); }

// Of blocks that lie in pages which were full: what was given back in each is given out again before a page is taken.
KERNEL_USER_TEST(what_is_given_back_in_full_pages_is_used_again) {
    constexpr unsigned count = 4096, spare_pages = 16;
    static abi::Handle handles[count];
    const auto make_every = [](unsigned step) {
        for (unsigned i = 0; i < count; i += step) {
            handles[i] = call::notification_create(quota()).value_or(0);
            REQUIRE(handles[i]);
        }
    };
    make_every(1);
    const std::uint64_t before = figures().free_pages;
    for (unsigned i = 0; i < count; i += 4) CHECK(call::handle_close(handles[i]));
    make_every(4);
    CHECK(figures().free_pages + spare_pages > before);
    for (const abi::Handle handle : handles) CHECK(call::handle_close(handle));
}

// The other processors have frames of their own, zeroed while they had nothing to do: whoever takes all memory finds those too, and a node that was without any has all of it again.
KERNEL_USER_TEST(all_memory_of_the_node_is_found_and_comes_back) {
    constexpr std::uint64_t at = abi::heap_base + (std::uint64_t{1} << 38), largest = 4096;
    const auto whole_tables = [](std::uint64_t bytes) { return (bytes + (1 << 30) - 1) & ~std::uint64_t{(1 << 30) - 1}; };
    // Each processor works and is idle again, and so has frames: a thread begins where least is to be done.
    native::Thread* workers[8] = {};
    for (auto*& worker : workers) {
        worker = native::Thread::create([](void*) {
            for (unsigned volatile left = 1'000'000; left != 0; left = left - 1) {}
        }, nullptr).value_or(nullptr);
        REQUIRE(worker);
    }
    for (auto* worker : workers) worker->join();
    // The upper tables stay.
    CHECK(call::space_map(space(), 0, at, 0, page, read_write | abi::map_flag::populate));
    CHECK(call::space_unmap(space(), at, page));
    leaves_nothing_behind([&] {
        std::uint64_t end = at, dirty = 0;
        for (std::uint64_t pages = largest; pages > 0;) {
            if (const auto mapped = call::space_map(space(), 0, end, 0, pages * page, read_write | abi::map_flag::populate)) {
                end += pages * page;
            } else {
                CHECK_ERROR(mapped, no_memory);
                pages /= 2;
            }
        }
        CHECK(figures().free_pages == 0);
        for (std::uint64_t i = at; i < end; i += page) {
            auto* const word = reinterpret_cast<volatile std::uint64_t*>(i);
            dirty += *word != 0;
            *word = 1;
        }
        CHECK(dirty == 0);
        CHECK(call::space_unmap(space(), at, whole_tables(end - at)));
    });
}
