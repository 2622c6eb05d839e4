// From inside a personality that was taken over: what a process does with its own addresses reaches no other one.
#include "abi/thread_page.hpp"
#include "lib/native/clock.hpp"
#include "tests/attacks/native/cell.hpp"

#include <atomic>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

// --- a futex word at the same address in two processes
constinit std::atomic<std::uint32_t> word = 0;
constexpr std::uint64_t woken = 7, slept = 8;

std::uint64_t sleep_on_the_word(std::uint64_t) {
    (void)call::notification_signal(given(0), 1);
    return call::futex_wait(reinterpret_cast<std::uint64_t>(&word), 0, abi::never, 0, native::any_futex_bits) ? woken : slept;
}

// --- a futex word in a page that two sandboxes may read, as those of a layer
constexpr std::uint64_t common_at = 0x600000;
constexpr std::uint32_t guests_shared = native::futex_flag::guest | native::futex_flag::shared;

base::Result<abi::Handle> map_common(abi::Handle payer, abi::Handle memory) {
    const auto guest = call::space_create(payer, 0);
    if (guest && (!call::space_map(*guest, memory, common_at, 0, abi::page_size, protection::read) || !call::restricted_attach(*guest)))
        return std::unexpected(abi::Error::bad_state);
    return guest;
}

// `given`: a bell, the Memory, and the cell's own.
std::uint64_t sleep_at_the_common_page(std::uint64_t) {
    if (!map_common(given(4), given(1))) return 1000;
    (void)call::notification_signal(given(0), 1);
    return call::futex_wait(common_at, 0, abi::never, guests_shared, native::any_futex_bits) ? woken : slept;
}

// --- a thread's page that its process takes away
constexpr std::uint64_t plain = 0xc0ff'ee00'c0ff'ee00;
constexpr std::uint64_t pages = 512, words = pages * abi::page_size / sizeof(std::uint64_t);
constexpr std::uint64_t range = abi::personality_base + (std::uint64_t{4} << 30);
constexpr std::uint64_t not_set_up = 1000;

// What the kernel writes into the page goes to nobody who got memory after it. `given` are the cell's own: process, half, quota.
std::uint64_t take_the_page_away(std::uint64_t) {
    const auto guest = call::space_create(given(2), 0);
    if (!guest || !call::restricted_attach(*guest)) return not_set_up;
    if (!call::space_map(given(1), abi::no_handle, range, 0, pages * abi::page_size, protection::read | protection::write)) return not_set_up + 1;
    auto* const memory = reinterpret_cast<volatile std::uint64_t*>(range);
    // The range's tables are there before the page goes: what is allocated next is the range's own.
    memory[0] = plain;
    if (!call::space_unmap(given(1), abi::thread_pages_base, abi::page_size)) return not_set_up + 2;
    for (std::uint64_t i = 0; i < words; ++i) memory[i] = plain;
    // Refused or not, it writes what came of it.
    (void)call::restricted_enter(0);
    std::uint64_t changed = 0;
    for (std::uint64_t i = 0; i < words; ++i) changed += memory[i] != plain;
    return changed;
}

} // namespace

KERNEL_USER_TEST(a_neighbour_is_not_woken_by_the_address_of_its_word) {
    const auto bell = call::notification_create(quota());
    REQUIRE(bell);
    auto cell = Cell::create(quota());
    REQUIRE(cell);
    REQUIRE(cell->give(*bell));
    REQUIRE(cell->start(sleep_on_the_word, 0));
    REQUIRE(call::notification_wait(*bell, abi::never));
    // It is about to sleep: often enough, for one call to find it asleep.
    std::uint64_t found = 0;
    for (unsigned i = 0; i < 200 && found == 0; ++i) {
        found = call::futex_wake(reinterpret_cast<std::uint64_t>(&word), 1, 0, 0, 0, native::any_futex_bits).value_or(0);
        (void)call::notification_wait(*bell, native::after_milliseconds(1));
    }
    CHECK(found == 0);
    cell->kill();
    const auto end = cell->wait();
    REQUIRE(end);
    CHECK(end->reason != abi::EndReason::exit);
    CHECK(call::handle_close(*bell));
}

KERNEL_USER_TEST(a_neighbour_is_not_woken_at_a_page_that_both_read) {
    const auto bell = call::notification_create(quota());
    const auto memory = call::memory_create(quota(), abi::page_size, 0);
    REQUIRE(bell && memory && call::memory_write(*memory, 0, std::as_bytes(std::span("\0\0\0\0", 4))) && call::memory_seal(*memory));
    auto cell = Cell::create(quota());
    REQUIRE(cell);
    REQUIRE(cell->give(*bell) && cell->give(*memory) && cell->give_itself());
    REQUIRE(cell->start(sleep_at_the_common_page, 0));
    REQUIRE(call::notification_wait(*bell, abi::never));
    const auto guest = map_common(quota(), *memory);
    REQUIRE(guest);
    std::uint64_t found = 0;
    for (unsigned i = 0; i < 200 && found == 0; ++i) {
        found = call::futex_wake(common_at, 1, guests_shared, 0, 0, native::any_futex_bits).value_or(1);
        (void)call::notification_wait(*bell, native::after_milliseconds(1));
    }
    CHECK(found == 0);
    CHECK(call::restricted_attach(abi::no_handle));
    cell->kill();
    const auto end = cell->wait();
    REQUIRE(end);
    CHECK(end->reason != abi::EndReason::exit);
    for (const abi::Handle handle : {*guest, *memory, *bell}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(a_threads_page_outlives_its_mapping) {
    auto cell = Cell::create(quota());
    REQUIRE(cell);
    REQUIRE(cell->give_itself());
    const auto end = run(*cell, take_the_page_away);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::exit && end->status == 0);
}
