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
    // mov eax, `value`; ret
    bool write_code(std::uint64_t at, unsigned char value) const {
        const unsigned char code[] = {0xb8, value, 0, 0, 0, 0xc3};
        return call::memory_write(memory, at, std::as_bytes(std::span(code))).has_value();
    }
    void close() const {
        CHECK(call::space_unmap(space(), first, 12 * page));
        CHECK(call::handle_close(memory));
        native::release_range(first, 12 * page);
    }
};

int run(std::uint64_t at) { return reinterpret_cast<int (*)()>(at)(); }

std::uint64_t pages_used() {
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(quota(), info));
    return info.used_pages;
}

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

KERNEL_USER_TEST(private_code_stays_what_it_was_when_it_first_ran) {
    const Fixture fixture;
    REQUIRE(fixture.good() && fixture.write_code(0, 1) && fixture.write_code(page, 1));
    REQUIRE(fixture.map(fixture.first, read_execute | abi::map_flag::copy_on_write));
    REQUIRE(fixture.map(fixture.second, protection::read | abi::map_flag::copy_on_write));
    CHECK(run(fixture.first) == 1);
    CHECK(fixture.write_code(0, 2) && fixture.write_code(page, 2));
    CHECK(run(fixture.first) == 1 && run(fixture.first + page) == 2);
    // What becomes executable later is no other.
    CHECK(call::space_protect(space(), fixture.second, 3 * page, read_execute));
    CHECK(run(fixture.second) == 2);
    CHECK(fixture.write_code(0, 3) && fixture.write_code(page, 3));
    CHECK(run(fixture.first) == 1 && run(fixture.first + page) == 2 && run(fixture.second) == 2);
    // Nor does a change of the protection bring the Memory's page back.
    CHECK(call::space_protect(space(), fixture.first, 3 * page, protection::read) && call::space_protect(space(), fixture.first, 3 * page, read_execute));
    CHECK(run(fixture.first) == 1);
    fixture.close();
}

KERNEL_USER_TEST(private_code_of_a_sealed_memory_is_no_copy) {
    const Fixture fixture;
    REQUIRE(fixture.good() && fixture.write_code(0, 1) && call::memory_seal(fixture.memory));
    REQUIRE(fixture.map(fixture.first, read_execute | abi::map_flag::copy_on_write));
    const std::uint64_t before = pages_used();
    CHECK(run(fixture.first) == 1);
    CHECK(pages_used() == before);
    fixture.close();
}

KERNEL_USER_TEST(what_a_device_writes_is_not_executed) {
    const auto io_space = call::io_space_create(native::granted("io_space"), quota());
    const auto memory = call::memory_create(quota(), page, abi::memory_flag::contiguous);
    const std::uint64_t at = native::reserve_range(page).value_or(0);
    REQUIRE(io_space && memory && at);
    CHECK(call::space_map(space(), *memory, at, 0, page, read_execute));
    CHECK_ERROR(call::io_space_map(*io_space, *memory), bad_state);
    CHECK(call::space_unmap(space(), at, page));
    CHECK(call::io_space_map(*io_space, *memory));
    CHECK_ERROR(call::space_map(space(), *memory, at, 0, page, read_execute), bad_state);
    CHECK(call::space_map(space(), *memory, at, 0, page, read_write));
    CHECK(call::space_unmap(space(), at, page));
    CHECK(call::io_space_release(*io_space));
    CHECK(call::space_map(space(), *memory, at, 0, page, read_execute));
    CHECK(call::space_unmap(space(), at, page));
    native::release_range(at, page);
    CHECK(call::handle_close(*memory) && call::handle_close(*io_space));
}
