// Guessing slots and badges.
#include "tests/attacks/native/cell.hpp"
#include "tests/attacks/native/random.hpp"
#include "tests/kernel_negative.inc"

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;

namespace {

constexpr unsigned guesses_a_call = 2000;

alignas(16) std::byte room[256];

// A handle that a guesser would try: low indices and young generations first, as tables are filled from below.
abi::Handle guess(Random& random) {
    switch (random.below(4)) {
    case 0: return random.below(8) << 32 | random.below(64);
    case 1: return random.below(1 << 16) << 32 | random.below(1 << 16);
    case 2: return std::uint64_t{1} << 32 | random.below(1 << 20);
    default: return random.next();
    }
}

// Every call that needs a handle, with guessed ones and else with good arguments. Returns how many did not end with an error.
std::uint64_t guess_all(std::uint64_t seed) {
    Random random(seed);
    std::uint64_t granted = 0;
    for (const negative::Call& entry : negative::calls) {
        const auto& tested = entry.as_named;
        if (tested.custom) continue;
        bool needs_handle = false;
        for (unsigned i = 0; i < tested.count; ++i) needs_handle |= tested.arguments[i].type == negative::ArgumentType::handle;
        if (!needs_handle) continue;
        for (unsigned attempt = 0; attempt < guesses_a_call; ++attempt) {
            std::uint64_t words[6] = {};
            for (unsigned i = 0; i < tested.count; ++i) {
                using enum negative::ArgumentType;
                switch (tested.arguments[i].type) {
                case handle: words[i] = guess(random); break;
                case pointer:
                case buffer: words[i] = reinterpret_cast<std::uint64_t>(room); break;
                case length: words[i] = 64; break;
                default: break;
                }
            }
            const auto result = call::raw(static_cast<abi::KernelCall>(tested.number), words[0], words[1], words[2], words[3], words[4], words[5]);
            granted += result.status >= 0;
        }
    }
    return granted;
}

} // namespace

KERNEL_USER_TEST(all_handles_of_an_empty_table_give_errors) {
    auto cell = Cell::create(quota());
    REQUIRE(cell);
    const auto end = run(*cell, guess_all, 0x18);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::exit && end->status == 0);
    CHECK(end->handles == 0);
}

// A slot that was emptied and filled again, by its old name and by forged ones.
KERNEL_USER_TEST(a_forged_generation_names_nothing) {
    const auto old = call::notification_create(quota());
    REQUIRE(old);
    REQUIRE(call::handle_close(*old));
    const auto fresh = call::notification_create(quota());
    REQUIRE(fresh);
    const std::uint64_t index = static_cast<std::uint32_t>(*fresh), generation = *fresh >> 32;
    CHECK(index == static_cast<std::uint32_t>(*old) && generation != *old >> 32);
    const std::uint64_t forged[] = {*old >> 32, 0, generation + 1, generation - 1, ~generation & 0xffff'ffff, 0xffff'ffff, generation ^ 0x8000'0000};
    for (const std::uint64_t guessed : forged) CHECK_ERROR(call::notification_signal((guessed & 0xffff'ffff) << 32 | index, 1), bad_handle);
    CHECK_ERROR(call::notification_wait(*fresh, abi::poll), would_block);
    // Indices past the table, with the right generation.
    for (unsigned bit = 12; bit < 32; ++bit) CHECK_ERROR(call::notification_signal(generation << 32 | index | 1ull << bit, 1), bad_handle);
    CHECK(call::handle_close(*fresh));
}

KERNEL_USER_TEST(a_badge_is_not_changed_by_its_holder) {
    const auto bell = call::notification_create(quota());
    REQUIRE(bell);
    const auto mine = call::handle_duplicate(*bell, right::send | right::duplicate | right::inspect, 0x10, 0);
    REQUIRE(mine);
    for (const std::uint64_t other : {0x20ull, 1ull, 0x10ull, ~0ull}) CHECK_ERROR(call::handle_duplicate(*mine, 0, other, 0), bad_argument);
    // 0 is "the same badge", not "none".
    const auto copy = call::handle_duplicate(*mine, 0, 0, 0);
    REQUIRE(copy);
    CHECK(call::notification_signal(*copy, 1));
    CHECK(call::notification_wait(*bell, abi::poll).value_or(0) == 0x11);
    for (const auto handle : {*copy, *mine, *bell}) CHECK(call::handle_close(handle));
}

KERNEL_USER_TEST(a_right_that_was_taken_is_not_had) {
    const auto memory = call::memory_create(quota(), abi::page_size, 0);
    REQUIRE(memory);
    const auto reader = call::handle_duplicate(*memory, right::read | right::map | right::duplicate, 0, 0);
    REQUIRE(reader);
    const std::byte byte{0x77};
    CHECK_ERROR(call::memory_write(*reader, 0, {&byte, 1}), missing_right);
    CHECK_ERROR(call::memory_seal(*reader), missing_right);
    CHECK_ERROR(call::memory_resize(*reader, 1 << 20), missing_right);
    CHECK_ERROR(call::handle_duplicate(*reader, right::all, 0, 0), missing_right);
    CHECK(call::handle_close(*reader));
    CHECK(call::handle_close(*memory));
}
