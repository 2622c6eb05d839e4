// From inside a personality that was taken over: what a process does with its own addresses reaches no other one.
#include "abi/thread_page.hpp"
#include "lib/native/kernel.hpp"
#include "tests/attacks/native/cell.hpp"

#include <atomic>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

// --- sleepers at a futex, of which it is known that they sleep
constexpr std::uint64_t woken = 7, not_set_up = 1000;
constexpr std::size_t stack_bytes = 16 << 10;
alignas(16) constinit std::byte stack[stack_bytes] = {};

struct Sleeper {
    abi::Handle guest; // whose words they are, or none
    std::uint64_t address, elsewhere;
    std::uint32_t flags;
};
constinit Sleeper sleeper = {};

[[noreturn]] void sleep_on() {
    if (sleeper.guest != abi::no_handle) (void)call::restricted_attach(sleeper.guest);
    for (;;)
        if (call::futex_wait(sleeper.address, 0, abi::never, sleeper.flags, native::any_futex_bits)) native::exit_process(woken);
}

// A second thread of the cell sleeps at the word. Whoever can move it to another word and back knows that it does, and then rings the bell. Waits to be killed after that.
// `own`: the place of the cell's own among what it was given; the bell is the first.
std::uint64_t sleep_and_ring(std::size_t own) {
    const auto thread = call::thread_create(given(own), given(own + 3));
    if (!thread) return not_set_up;
    const auto top = reinterpret_cast<std::uint64_t>(stack) + stack_bytes - sizeof(std::uint64_t);
    if (!call::thread_start(*thread, reinterpret_cast<std::uint64_t>(sleep_on), top, 0)) return not_set_up + 1;
    constexpr std::uint64_t one_moved = std::uint64_t{1} << 32;
    const auto move = [](std::uint64_t from, std::uint64_t to) { return call::futex_wake(from, 0, sleeper.flags, to, 1, native::any_futex_bits).value_or(0); };
    while (move(sleeper.address, sleeper.elsewhere) != one_moved) (void)call::thread_yield();
    if (move(sleeper.elsewhere, sleeper.address) != one_moved) return not_set_up + 2;
    (void)call::notification_signal(given(0), 1);
    const auto nobody_rings = call::notification_create(given(own + 2));
    if (nobody_rings) (void)call::notification_wait(*nobody_rings, abi::never);
    return not_set_up + 3;
}

// --- a futex word at the same address in two processes
constinit std::atomic<std::uint32_t> word = 0, other_word = 0;

std::uint64_t sleep_on_the_word(std::uint64_t) {
    sleeper = {abi::no_handle, reinterpret_cast<std::uint64_t>(&word), reinterpret_cast<std::uint64_t>(&other_word), 0};
    return sleep_and_ring(1);
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
    const auto guest = map_common(given(4), given(1));
    if (!guest) return not_set_up + 4;
    sleeper = {*guest, common_at, common_at + 64, guests_shared};
    return sleep_and_ring(2);
}

// --- a thread's page that its process takes away
constexpr std::uint64_t plain = 0xc0ff'ee00'c0ff'ee00;
constexpr std::uint64_t pages = 512, words = pages * abi::page_size / sizeof(std::uint64_t);
constexpr std::uint64_t range = abi::personality_base + (std::uint64_t{4} << 30);

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
    REQUIRE(cell->give(*bell) && cell->give_itself());
    REQUIRE(cell->start(sleep_on_the_word, 0));
    REQUIRE(call::notification_wait(*bell, abi::never));
    CHECK(call::futex_wake(reinterpret_cast<std::uint64_t>(&word), 1, 0, 0, 0, native::any_futex_bits).value_or(1) == 0);
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
    CHECK(call::futex_wake(common_at, 1, guests_shared, 0, 0, native::any_futex_bits).value_or(1) == 0);
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
