// A Memory is shared to be written or to be executed, never both, in whichever spaces.
#include "kernel/tests/native/test.hpp"
#include "lib/native/memory.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write;
constexpr abi::Protection read_execute = protection::read | protection::execute;
constexpr std::uint64_t guest_at = 0x40'0000;

// Three pages and room for three mappings of them.
struct Fixture {
    abi::Handle memory = call::memory_create(quota(), 3 * page, 0).value_or(0);
    std::uint64_t first = native::reserve_range(12 * page).value_or(0);
    std::uint64_t second = first + 4 * page;
    std::uint64_t third = first + 8 * page;

    bool good() const { return memory != 0 && first != 0; }
    auto map(std::uint64_t at, std::uint32_t flags, abi::Handle where = space()) const { return call::space_map(where, memory, at, 0, 3 * page, flags); }
    auto write() const { return call::memory_write(memory, 0, std::as_bytes(std::span("x", 1))); }
    void close() const {
        CHECK(call::space_unmap(space(), first, 12 * page));
        CHECK(call::handle_close(memory));
        native::release_range(first, 12 * page);
    }
};

} // namespace

KERNEL_USER_TEST(what_is_writable_is_not_executable_by_an_alias) {
    const Fixture fixture;
    REQUIRE(fixture.good());
    CHECK(fixture.map(fixture.first, read_write));
    CHECK(fixture.map(fixture.second, protection::read));
    CHECK_ERROR(fixture.map(fixture.third, read_execute), bad_state);
    CHECK_ERROR(call::space_protect(space(), fixture.second, page, read_execute), missing_right);
    // Without write for now, but it may come again.
    CHECK(call::space_protect(space(), fixture.first, 3 * page, protection::read));
    CHECK_ERROR(fixture.map(fixture.third, read_execute), bad_state);
    // A part of a mapping counts as the whole did.
    CHECK(call::space_unmap(space(), fixture.second, 3 * page));
    CHECK(call::space_unmap(space(), fixture.first + page, page));
    CHECK_ERROR(fixture.map(fixture.third, read_execute), bad_state);
    CHECK(call::space_unmap(space(), fixture.first, page));
    CHECK_ERROR(fixture.map(fixture.third, read_execute), bad_state);
    CHECK(call::space_unmap(space(), fixture.first + 2 * page, page));
    CHECK(fixture.map(fixture.third, read_execute));
    fixture.close();
}

KERNEL_USER_TEST(what_is_executable_is_not_written) {
    const Fixture fixture;
    REQUIRE(fixture.good());
    CHECK(fixture.write());
    CHECK(fixture.map(fixture.first, read_execute));
    CHECK_ERROR(fixture.write(), bad_state);
    CHECK_ERROR(fixture.map(fixture.second, read_write), bad_state);
    // To read alone is no clash, and stays that.
    CHECK(fixture.map(fixture.second, protection::read));
    CHECK_ERROR(call::space_protect(space(), fixture.second, 3 * page, read_write), missing_right);
    CHECK(call::space_unmap(space(), fixture.first, 3 * page));
    CHECK(fixture.write());
    CHECK_ERROR(call::space_protect(space(), fixture.second, 3 * page, read_write), missing_right);
    CHECK(fixture.map(fixture.third, read_write));
    fixture.close();
}

KERNEL_USER_TEST(an_alias_in_another_space_counts) {
    const Fixture fixture;
    const auto guest = call::space_create(quota(), 0);
    REQUIRE(fixture.good() && guest);
    CHECK(fixture.map(guest_at, read_write, *guest));
    CHECK_ERROR(fixture.map(fixture.first, read_execute), bad_state);
    // A fork's copy is one more; a move is not.
    CHECK(call::space_move(*guest, guest_at, guest_at + 16 * page, 3 * page));
    const auto copy = call::space_fork(*guest, quota());
    REQUIRE(copy);
    CHECK(call::handle_close(*guest));
    CHECK_ERROR(fixture.map(fixture.first, read_execute), bad_state);
    CHECK(call::handle_close(*copy));
    CHECK(fixture.map(fixture.first, read_execute));
    fixture.close();
}

KERNEL_USER_TEST(a_seal_ends_what_was_writable) {
    const Fixture fixture;
    REQUIRE(fixture.good());
    CHECK(fixture.map(fixture.first, read_write));
    CHECK_ERROR(fixture.map(fixture.second, read_execute), bad_state);
    CHECK(call::memory_seal(fixture.memory));
    CHECK(fixture.map(fixture.second, read_execute));
    const auto slice = call::memory_slice(quota(), fixture.memory, page, page);
    REQUIRE(slice);
    CHECK(call::space_map(space(), *slice, fixture.third, 0, page, read_execute));
    CHECK(call::handle_close(*slice));
    fixture.close();
}
