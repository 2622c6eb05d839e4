// What a fault on a page of a Memory brings in: the pages around it that the Memory has, and nothing more. Each mapping is made before there are frames, for those that are there are
// entered at once.
#include <cstring>

#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
using native::Owned;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write;
constexpr std::uint64_t own_at = abi::heap_base + (1ull << 38); // at the begin of a window
constexpr std::uint64_t window = 16;

volatile std::uint64_t& word_at(std::uint64_t address) { return *reinterpret_cast<volatile std::uint64_t*>(address); }
// Through the kernel, which refuses what a program would end at.
bool may_write(std::uint64_t address) { return call::handle_inspect(quota(), *reinterpret_cast<abi::HandleInfo*>(address)).has_value(); }

template <class Function>
std::uint64_t faults(Function&& function) {
    const std::uint64_t before = figures().page_faults;
    function();
    return figures().page_faults - before;
}

std::uint64_t frames_of(const Owned& memory) {
    abi::MemoryInfo info{};
    CHECK(call::memory_inspect(memory.get(), info));
    return info.frames;
}

// Each page says which one of the Memory it is.
bool fill(abi::Handle memory, std::uint64_t first, std::uint64_t pages) {
    bool good = true;
    for (std::uint64_t i = first; i < first + pages; ++i) {
        const std::uint64_t value = i + 1;
        good &= call::memory_write(memory, i * page, std::as_bytes(std::span(&value, 1))).has_value();
    }
    return good;
}

bool shows(std::uint64_t address, std::uint64_t first, std::uint64_t pages) {
    bool good = true;
    for (std::uint64_t i = 0; i < pages; ++i) good &= word_at(address + i * page) == first + i + 1;
    return good;
}

// A Memory of so many pages, mapped and then filled.
struct Mapped {
    Owned memory;

    Mapped(std::uint64_t pages, abi::Protection protection) : memory(call::memory_create(quota(), pages * page, 0).value_or(0)) {
        CHECK(call::space_map(space(), memory.get(), own_at, 0, pages * page, protection));
        CHECK(fill(memory.get(), 0, pages));
        pages_ = pages;
    }
    ~Mapped() { CHECK(call::space_unmap(space(), own_at, pages_ * page)); }

private:
    std::uint64_t pages_ = 0;
};

} // namespace

KERNEL_USER_TEST(a_fault_brings_in_what_is_there_around_it) {
    const Mapped mapped(3 * window, protection::read);
    CHECK(faults([] { CHECK(word_at(own_at + (window + 5) * page) == window + 6); }) == 1);
    CHECK(faults([] { CHECK(shows(own_at + window * page, window, window)); }) == 0);
    // No further than its window, to both sides.
    CHECK(faults([] { CHECK(shows(own_at + (window - 1) * page, window - 1, 1)); }) == 1);
    CHECK(faults([] { CHECK(shows(own_at + 2 * window * page, 2 * window, 1)); }) == 1);
    CHECK(faults([] { CHECK(shows(own_at, 0, 3 * window)); }) == 0);
}

KERNEL_USER_TEST(a_fault_allocates_no_page_but_its_own) {
    const Owned memory(call::memory_create(quota(), window * page, 0).value_or(0));
    REQUIRE(memory && call::space_map(space(), memory.get(), own_at, 0, window * page, read_write));
    CHECK(fill(memory.get(), 0, 3) && fill(memory.get(), 4, 8));
    CHECK(faults([] { CHECK(shows(own_at, 0, 3) && shows(own_at + 4 * page, 4, 8)); }) == 1);
    CHECK(frames_of(memory) == 11);
    CHECK(faults([] { CHECK(word_at(own_at + 3 * page) == 0); }) == 1);
    CHECK(faults([] { word_at(own_at + 3 * page) = 4; }) == 0);
    CHECK(frames_of(memory) == 12);
    CHECK(call::space_unmap(space(), own_at, window * page));
}

KERNEL_USER_TEST(a_fault_changes_nothing_that_is_there) {
    const Mapped mapped(window, read_write);
    CHECK(word_at(own_at) == 1);
    // Three pages become something else.
    const Owned other(call::memory_create(quota(), 2 * page, 0).value_or(0));
    REQUIRE(other && call::space_map(space(), other.get(), own_at + 2 * page, 0, 2 * page, read_write | abi::map_flag::replace));
    word_at(own_at + 2 * page) = 77;
    CHECK(call::space_unmap(space(), own_at + 8 * page, page));
    CHECK(call::space_map(space(), 0, own_at + 8 * page, 0, page, read_write));
    CHECK(call::memory_resize(mapped.memory.get(), 10 * page) && call::memory_resize(mapped.memory.get(), window * page) && fill(mapped.memory.get(), 10, 6));
    CHECK(faults([] { CHECK(shows(own_at + 10 * page, 10, 6)); }) == 1);
    CHECK(word_at(own_at + 2 * page) == 77 && word_at(own_at + 3 * page) == 0 && word_at(own_at + 8 * page) == 0);
    CHECK(frames_of(other) == 2);
}

KERNEL_USER_TEST(a_fault_stays_in_its_mapping) {
    const Owned memory(call::memory_create(quota(), window * page, 0).value_or(0));
    REQUIRE(memory && call::space_map(space(), memory.get(), own_at + 6 * page, 2 * page, 4 * page, protection::read));
    CHECK(fill(memory.get(), 0, window));
    CHECK(faults([] { CHECK(shows(own_at + 6 * page, 2, 4)); }) == 1);
    // What is beside it is free.
    CHECK(call::space_map(space(), 0, own_at, 0, 6 * page, read_write));
    CHECK(call::space_map(space(), 0, own_at + 10 * page, 0, 6 * page, read_write));
    CHECK(call::space_unmap(space(), own_at, window * page));
}

KERNEL_USER_TEST(pages_around_a_fault_have_the_rights_of_their_mapping) {
    const Mapped mapped(window, protection::read);
    CHECK(word_at(own_at) == 1);
    CHECK(!may_write(own_at + 3 * page) && shows(own_at, 0, window));
    CHECK(call::space_protect(space(), own_at + 3 * page, page, read_write));
    CHECK(may_write(own_at + 3 * page) && !may_write(own_at + 2 * page) && !may_write(own_at + 4 * page));
    CHECK(fill(mapped.memory.get(), 3, 1));
    // What was read may be written where the mapping says so, and is the Memory's.
    CHECK(call::space_protect(space(), own_at, window * page, read_write));
    CHECK(faults([] { word_at(own_at + 9 * page) = 99; }) == 0);
    std::uint64_t value = 0;
    CHECK(call::memory_read(mapped.memory.get(), 9 * page, std::as_writable_bytes(std::span(&value, 1))) && value == 99);
}

KERNEL_USER_TEST(a_seal_takes_the_right_from_pages_around_a_fault) {
    const Mapped mapped(window, read_write);
    CHECK(word_at(own_at) == 1);
    CHECK(faults([] { word_at(own_at + 3 * page) = 4; }) == 0);
    CHECK(call::memory_seal(mapped.memory.get()));
    for (std::uint64_t i = 0; i < window; ++i) CHECK(!may_write(own_at + i * page));
    CHECK(shows(own_at, 0, window));
}

KERNEL_USER_TEST(a_shrunk_memory_leaves_no_page_of_a_fault) {
    const Mapped mapped(window, read_write);
    const auto before = figures().free_pages;
    CHECK(word_at(own_at + 2 * page) == 3);
    CHECK(call::memory_resize(mapped.memory.get(), 3 * page));
    CHECK(figures().free_pages == before + window - 3);
    for (std::uint64_t i = 0; i < window; ++i) CHECK(may_write(own_at + i * page) == (i < 3));
    // Those that stayed are not entered once more: nobody would give the second reference back.
    CHECK(call::memory_resize(mapped.memory.get(), window * page) && fill(mapped.memory.get(), 0, window));
    CHECK(faults([] { CHECK(shows(own_at, 0, window)); }) == 1);
    CHECK(call::memory_resize(mapped.memory.get(), page));
    CHECK(figures().free_pages == before + window - 1);
}

KERNEL_USER_TEST(a_revoked_mapping_leaves_no_page_of_a_fault) {
    const auto lease = call::lease_create(quota(), 0);
    const Owned memory(call::memory_create(quota(), window * page, 0).value_or(0));
    REQUIRE(lease && memory);
    const auto leased = call::handle_duplicate(memory.get(), 0, 0, *lease);
    REQUIRE(leased && call::space_map(space(), *leased, own_at, 0, window * page, read_write) && fill(memory.get(), 0, window));
    CHECK(faults([] { CHECK(shows(own_at, 0, window)); }) == 1);
    CHECK(call::lease_revoke(*lease));
    // The range is free, and each page in it.
    CHECK(call::space_map(space(), 0, own_at, 0, window * page, read_write));
    for (std::uint64_t i = 0; i < window; ++i) CHECK(word_at(own_at + i * page) == 0);
    CHECK(call::space_unmap(space(), own_at, window * page));
    CHECK(call::handle_close(*leased) && call::handle_close(*lease));
}

KERNEL_USER_TEST(a_window_of_a_sealed_memory_comes_by_few_faults) {
    const Owned memory(call::memory_create(quota(), 3 * window * page, 0).value_or(0));
    REQUIRE(memory && fill(memory.get(), 0, 3 * window) && call::memory_seal(memory.get()));
    const Owned slice(call::memory_slice(quota(), memory.get(), 5 * page, window * page).value_or(0));
    const auto guest = call::space_create(quota(), 0);
    constexpr std::uint64_t guest_at = 0x40'0000;
    REQUIRE(slice && guest && call::space_map(*guest, slice.get(), guest_at, 0, window * page, protection::read));
    // A fork's copy has none of the pages, and ends with the slice, though the Memory goes on.
    const auto copy = call::space_fork(*guest, quota());
    REQUIRE(copy && call::restricted_attach(*copy));
    CHECK(faults([] { CHECK(shows(guest_at, 5, window)); }) == 1);
    CHECK(call::restricted_attach(0) && call::handle_close(*copy) && call::handle_close(*guest));
}

KERNEL_USER_TEST(private_pages_of_a_fork_are_copied_one_by_one) {
    const Owned memory(call::memory_create(quota(), window * page, 0).value_or(0));
    const auto guest = call::space_create(quota(), 0);
    constexpr std::uint64_t guest_at = 0x40'0000;
    REQUIRE(memory && guest && fill(memory.get(), 0, window));
    REQUIRE(call::space_map(*guest, memory.get(), guest_at, 0, window * page, read_write | abi::map_flag::copy_on_write));
    REQUIRE(call::restricted_attach(*guest));
    CHECK(faults([] { CHECK(shows(guest_at, 0, window)); }) == 0);
    CHECK(faults([] { word_at(guest_at + page) = 5; }) == 1);
    CHECK(faults([] { word_at(guest_at + 2 * page) = 5; }) == 1);
    std::uint64_t value = 0;
    CHECK(call::memory_read(memory.get(), page, std::as_writable_bytes(std::span(&value, 1))) && value == 2);
    CHECK(call::restricted_attach(0) && call::handle_close(*guest));
}
