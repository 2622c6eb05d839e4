// Memory and mappings in the own half.
#include <cstring>

#include "kernel/tests/native/test.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {
constexpr abi::Protection read_write = protection::read | protection::write;
constexpr std::uint64_t page = abi::page_size;
} // namespace

KERNEL_USER_TEST(shared_mappings_show_the_same_memory) {
    const auto memory = call::memory_create(quota(), 8 * page, 0);
    REQUIRE(memory);
    const std::uint64_t at = native::reserve_range(64 * page).value_or(0);
    REQUIRE(at);
    CHECK(call::space_map(space(), *memory, at, 0, 8 * page, read_write));
    CHECK(call::space_map(space(), *memory, at + 16 * page, 4 * page, 4 * page, read_write));
    CHECK_ERROR(call::space_map(space(), *memory, at + 2 * page, 0, page, read_write), exists);
    CHECK_ERROR(call::space_map(space(), *memory, at + 32 * page, 0, page, read_write | protection::execute), bad_argument);
    CHECK_ERROR(call::space_map(space(), *memory, at + 32 * page, 7 * page, 2 * page, protection::read), bad_argument);
    CHECK_ERROR(call::space_map(space(), *memory, at + 1, 0, page, protection::read), bad_argument);
    auto* first = reinterpret_cast<volatile std::uint64_t*>(at + 5 * page);
    auto* second = reinterpret_cast<volatile std::uint64_t*>(at + 17 * page);
    *first = 0x1234;
    CHECK(*second == 0x1234);
    std::uint64_t value = 0;
    CHECK(call::memory_read(*memory, 5 * page, std::as_writable_bytes(std::span(&value, 1))));
    CHECK(value == 0x1234);
    abi::MemoryInfo info{};
    CHECK(call::memory_inspect(*memory, info));
    CHECK(info.frames == 1 && info.size == 8 * page);
    CHECK(call::space_unmap(space(), at, 64 * page));
    CHECK(call::handle_close(*memory));
    native::release_range(at, 64 * page);
}

KERNEL_USER_TEST(sealed_memory_never_changes) {
    const auto memory = call::memory_create(quota(), 2 * page, 0);
    REQUIRE(memory);
    const std::uint64_t at = native::reserve_range(16 * page).value_or(0);
    CHECK(call::space_map(space(), *memory, at, 0, 2 * page, read_write));
    auto* word = reinterpret_cast<volatile std::uint64_t*>(at);
    *word = 77;
    CHECK_ERROR(call::memory_slice(quota(), *memory, 0, page), bad_state);
    CHECK(call::memory_seal(*memory));
    CHECK(*word == 77);
    CHECK_ERROR(call::space_protect(space(), at, page, read_write), missing_right);
    CHECK_ERROR(call::space_map(space(), *memory, at + 4 * page, 0, page, read_write), bad_state);
    CHECK_ERROR(call::memory_write(*memory, 0, std::as_bytes(std::span("x", 1))), bad_state);
    CHECK_ERROR(call::memory_resize(*memory, 4 * page), bad_state);
    // A private copy may be written, and does not change the Memory.
    CHECK(call::space_map(space(), *memory, at + 4 * page, 0, 2 * page, read_write | abi::map_flag::copy_on_write));
    auto* copy = reinterpret_cast<volatile std::uint64_t*>(at + 4 * page);
    CHECK(*copy == 77);
    *copy = 78;
    CHECK(*word == 77 && *copy == 78);
    const auto slice = call::memory_slice(quota(), *memory, page, page);
    REQUIRE(slice);
    CHECK_ERROR(call::memory_slice(quota(), *memory, page, 2 * page), bad_argument);
    CHECK(call::space_map(space(), *slice, at + 8 * page, 0, page, protection::read));
    CHECK(call::space_unmap(space(), at, 16 * page));
    CHECK(call::handle_close(*slice));
    CHECK(call::handle_close(*memory));
    native::release_range(at, 16 * page);
}

KERNEL_USER_TEST(shrinking_takes_pages_away) {
    const auto before = figures();
    const auto memory = call::memory_create(quota(), 8 * page, abi::memory_flag::populate);
    REQUIRE(memory);
    CHECK(call::memory_resize(*memory, 3 * page));
    abi::MemoryInfo info{};
    CHECK(call::memory_inspect(*memory, info));
    CHECK(info.frames == 3 && info.size == 3 * page);
    CHECK(call::handle_close(*memory));
    CHECK(figures().free_pages == before.free_pages);
}

KERNEL_USER_TEST(revocation_unmaps) {
    const auto lease = call::lease_create(quota(), 0);
    const auto memory = call::memory_create(quota(), 2 * page, abi::memory_flag::populate);
    REQUIRE(lease && memory);
    const auto leased = call::handle_duplicate(*memory, 0, 0, *lease);
    REQUIRE(leased);
    const std::uint64_t at = native::reserve_range(16 * page).value_or(0);
    CHECK(call::space_map(space(), *leased, at, 0, 2 * page, read_write));
    CHECK(call::space_map(space(), *leased, at + 4 * page, 0, 2 * page, protection::read | abi::map_flag::copy_on_write));
    CHECK(call::lease_revoke(*lease));
    // The ranges are free again.
    CHECK(call::space_map(space(), 0, at, 0, 8 * page, read_write));
    CHECK_ERROR(call::space_map(space(), *leased, at + 8 * page, 0, page, protection::read), revoked);
    CHECK(call::space_unmap(space(), at, 16 * page));
    for (const auto handle : {*lease, *memory, *leased}) CHECK(call::handle_close(handle));
    native::release_range(at, 16 * page);
}

KERNEL_USER_TEST(protection_and_moves_keep_content) {
    const std::uint64_t at = native::reserve_range(32 * page).value_or(0);
    CHECK(call::space_map(space(), 0, at, 0, 4 * page, read_write));
    std::memset(reinterpret_cast<void*>(at), 0x5a, 4 * page);
    CHECK(call::space_protect(space(), at + page, page, protection::none));
    CHECK(call::space_protect(space(), at + page, page, protection::read));
    CHECK(*reinterpret_cast<volatile unsigned char*>(at + page + 5) == 0x5a);
    CHECK(call::space_move(space(), at, at + 8 * page, 4 * page));
    CHECK(*reinterpret_cast<volatile unsigned char*>(at + 8 * page + 5) == 0x5a);
    CHECK_ERROR(call::space_move(space(), at + 8 * page, at + 9 * page, 4 * page), bad_argument);
    CHECK(call::space_map(space(), 0, at, 0, page, read_write));
    CHECK_ERROR(call::space_move(space(), at + 8 * page, at, page), exists);
    CHECK(call::space_map(space(), 0, at + 8 * page, 0, page, read_write | abi::map_flag::replace));
    CHECK(*reinterpret_cast<volatile unsigned char*>(at + 8 * page) == 0);
    CHECK(call::space_unmap(space(), at, 32 * page));
    native::release_range(at, 32 * page);
}

// What is not there costs nothing: page by page each of these calls would take seconds.
KERNEL_USER_TEST(ranges_of_nothing_are_quick) {
    constexpr std::uint64_t size = 64ull << 30;
    const auto memory = call::memory_create(quota(), size, 0);
    const std::uint64_t from = native::reserve_range(size).value_or(0), to = native::reserve_range(size).value_or(0);
    REQUIRE(memory && from && to);
    const std::uint64_t word = 0x5678, inside = 17ull << 30;
    CHECK(call::memory_write(*memory, inside, std::as_bytes(std::span(&word, 1))));
    for (const std::uint32_t flags : {0u, abi::map_flag::copy_on_write}) {
        CHECK(call::space_map(space(), *memory, from, 0, size, read_write | flags));
        CHECK_ERROR(call::space_map(space(), 0, from + size - page, 0, page, read_write), exists);
        CHECK(call::space_move(space(), from, to, size));
        CHECK(*reinterpret_cast<volatile std::uint64_t*>(to + inside) == word);
        *reinterpret_cast<volatile std::uint64_t*>(to + size - page) = 1;
        CHECK(call::space_protect(space(), to, size, protection::read));
        CHECK(*reinterpret_cast<volatile std::uint64_t*>(to + inside) == word);
        // The source is free again, edges and all.
        CHECK(call::space_map(space(), 0, from, 0, size, read_write));
        CHECK(call::space_unmap(space(), from, size));
        CHECK(call::space_unmap(space(), to, size));
    }
    // Anonymous memory moves with its pages and with what is not touched yet.
    CHECK(call::space_map(space(), 0, from, 0, size - page, read_write));
    *reinterpret_cast<volatile std::uint64_t*>(from + inside) = word;
    CHECK(call::space_move(space(), from, to + page, size - page));
    CHECK(*reinterpret_cast<volatile std::uint64_t*>(to + page + inside) == word);
    CHECK(*reinterpret_cast<volatile std::uint64_t*>(to + size - page) == 0);
    CHECK(call::space_unmap(space(), to, size));
    CHECK(call::handle_close(*memory));
    native::release_range(from, size);
    native::release_range(to, size);
}

KERNEL_USER_TEST(many_mappings_of_one_memory) {
    constexpr std::uint64_t count = 4096;
    const auto before = figures();
    const auto memory = call::memory_create(quota(), page, abi::memory_flag::populate);
    const std::uint64_t at = native::reserve_range(2 * count * page).value_or(0);
    REQUIRE(memory && at);
    // Neither in order nor next to each other.
    for (std::uint64_t i = 0; i < count; ++i) CHECK(call::space_map(space(), *memory, at + (i * 1021 % count) * 2 * page, 0, page, read_write));
    *reinterpret_cast<volatile std::uint64_t*>(at) = 99;
    CHECK(*reinterpret_cast<volatile std::uint64_t*>(at + (count - 1) * 2 * page) == 99);
    CHECK(call::space_protect(space(), at, 2 * count * page, protection::read));
    CHECK_ERROR(call::space_map(space(), 0, at + 2 * page, 0, 2 * page, read_write), exists);
    CHECK(call::memory_seal(*memory));
    CHECK_ERROR(call::space_protect(space(), at, 2 * count * page, read_write), missing_right);
    CHECK(call::space_unmap(space(), at, 2 * count * page));
    CHECK(call::space_map(space(), 0, at, 0, 2 * count * page, read_write));
    CHECK(call::space_unmap(space(), at, 2 * count * page));
    CHECK(call::handle_close(*memory));
    native::release_range(at, 2 * count * page);
    // All mappings and pages are given back, but for tables above.
    CHECK(figures().free_pages + 8 >= before.free_pages);
}

KERNEL_USER_TEST(a_copy_brings_in_what_is_missing_and_respects_protection) {
    const std::uint64_t at = native::reserve_range(2 * page).value_or(0);
    REQUIRE(at);
    CHECK(call::space_map(space(), 0, at, 0, 2 * page, read_write));
    abi::HandleInfo expected{};
    CHECK(call::handle_inspect(quota(), expected));
    // Over the border of two pages, neither of which was touched before.
    auto& across = *reinterpret_cast<abi::HandleInfo*>(at + page - 8);
    CHECK(call::handle_inspect(quota(), across));
    CHECK(across.kind == expected.kind && across.rights == expected.rights && across.badge == expected.badge && across.leased == expected.leased);
    across.kind = 99;
    CHECK(call::space_protect(space(), at, 2 * page, protection::read));
    CHECK_ERROR(call::handle_inspect(quota(), across), bad_pointer);
    CHECK(across.kind == 99);
    CHECK(call::space_unmap(space(), at, 2 * page));
    CHECK_ERROR(call::handle_inspect(quota(), across), bad_pointer);
    native::release_range(at, 2 * page);
}

KERNEL_USER_TEST(pointers_outside_the_own_half_are_refused) {
    abi::QuotaInfo& kernel_address = *reinterpret_cast<abi::QuotaInfo*>(0xffff'ffff'8000'0000);
    CHECK_ERROR(call::quota_inspect(quota(), kernel_address), bad_pointer);
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(0x1000)), bad_pointer);
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(abi::personality_end - 8)), bad_pointer);
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(abi::personality_base)), bad_pointer);
    const auto log = native::granted("log");
    CHECK_ERROR(call::log_write(log, {reinterpret_cast<const std::byte*>(0xffff'a000'0000'0000), 16}), bad_pointer);
    CHECK_ERROR(call::log_write(log, {reinterpret_cast<const std::byte*>(abi::personality_base), UINT64_MAX}), bad_pointer);
}

// A mark of a large range is split for a page that is used, not for one that may not be.
KERNEL_USER_TEST(a_refused_access_takes_no_tables) {
    constexpr std::uint64_t length = 1ull << 30, inside = 5 * abi::page_size;
    const auto used = [] {
        abi::QuotaInfo info{};
        CHECK(call::quota_inspect(quota(), info));
        return info.used_pages;
    };
    const auto begin = native::reserve_range(2 * length);
    REQUIRE(begin);
    const std::uint64_t at = (*begin + length - 1) & ~(length - 1);
    CHECK(call::space_map(space(), 0, at, 0, length, abi::protection::read));
    const std::uint64_t before = used();
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(at + inside)), bad_pointer);
    CHECK_ERROR(call::memory_read(native::granted("clock"), 0, {reinterpret_cast<std::byte*>(at + inside), 64}), bad_pointer);
    CHECK(used() == before);
    CHECK(call::space_protect(space(), at, length, abi::protection::none));
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(at + inside)), bad_pointer);
    CHECK(used() == before);
    CHECK(call::space_unmap(space(), at, length));
    native::release_range(*begin, 2 * length);
}
