// Calls at the edge of what they may: the first thing past a limit is refused, and nothing is left of what was refused.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernel/tests/native/leftovers.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;
namespace right = abi::right;
using native::Owned;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Protection read_write = protection::read | protection::write;

Owned make_memory(std::uint64_t size, std::uint32_t flags = 0) { return Owned(call::memory_create(quota(), size, flags).value_or(0)); }
Owned make_notification() { return Owned(call::notification_create(quota()).value_or(0)); }
Owned make_quota(abi::Handle parent, std::uint64_t pages) { return Owned(call::quota_create(parent, pages).value_or(0)); }
abi::QuotaInfo look(const Owned& quota) {
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(quota.get(), info));
    return info;
}

// A range of addresses, unmapped at its end.
struct Place {
    std::uint64_t bytes, at;
    explicit Place(std::uint64_t pages) : bytes(pages * page), at(native::reserve_range(bytes).value_or(0)) { CHECK(at); }
    ~Place() {
        (void)call::space_unmap(space(), at, bytes);
        native::release_range(at, bytes);
    }
    volatile std::uint64_t& word(std::uint64_t index) const { return *reinterpret_cast<volatile std::uint64_t*>(at + index * page); }
};

} // namespace

KERNEL_USER_TEST(a_revocation_reaches_every_child) {
    const Owned top(call::lease_create(quota(), 0).value_or(0));
    Owned children[3], copies[3];
    const Owned notification = make_notification();
    for (int i = 0; i < 3; ++i) {
        children[i] = Owned(call::lease_create(quota(), top.get()).value_or(0));
        copies[i] = Owned(native::duplicate(notification.get(), 0, 0, children[i].get()).value_or(0));
        CHECK(call::notification_signal(copies[i].get(), 1));
    }
    // One that is gone leaves no hole, whatever comes into its place.
    copies[1].reset();
    children[1].reset();
    Owned others[8];
    for (Owned& other : others) other = Owned(call::lease_create(quota(), 0).value_or(0));
    CHECK(call::lease_revoke(top.get()));
    for (const int i : {0, 2}) CHECK_ERROR(call::notification_signal(copies[i].get(), 1), revoked);
}

KERNEL_USER_TEST(a_quota_ends_at_its_limit) {
    const Owned outer = make_quota(quota(), 24), inner = make_quota(outer.get(), 64);
    REQUIRE(outer && inner);
    const std::uint64_t before = look(inner).used_pages;
    Owned memories[32];
    unsigned made = 0;
    for (Owned& memory : memories) {
        memory = Owned(call::memory_create(inner.get(), page, abi::memory_flag::populate).value_or(0));
        if (!memory) break;
        ++made;
        CHECK(look(outer).used_pages <= 24);
    }
    CHECK(made > 4 && made < 24);
    CHECK(look(inner).used_pages <= look(outer).used_pages);
    CHECK_ERROR(call::memory_create(inner.get(), 8 * page, abi::memory_flag::contiguous), no_memory);
    CHECK(look(inner).used_pages <= look(outer).used_pages);
    for (Owned& memory : memories) memory.reset();
    CHECK(look(inner).used_pages == before);
}

// What others use is a way to hear of them.
KERNEL_USER_TEST(a_quota_tells_nothing_of_the_node) {
    const Owned outer = make_quota(quota(), 24), inner = make_quota(outer.get(), 8);
    REQUIRE(outer && inner);
    for (const Owned* one : {&outer, &inner}) {
        const abi::QuotaInfo told = look(*one);
        CHECK(told.free_pages == 0 && told.total_pages == 0 && told.context_switches == 0 && told.root_loads == 0 && told.page_faults == 0);
        CHECK(std::ranges::all_of(told.idle_wakeups, [](std::uint64_t count) { return count == 0; }));
        CHECK(told.cpu_count == figures().cpu_count && told.limit_pages <= 24);
    }
}

KERNEL_USER_TEST(a_destroyed_quota_charges_nothing_below) {
    const Owned outer = make_quota(quota(), 64), inner = make_quota(outer.get(), 64);
    CHECK(call::quota_destroy(outer.get()));
    CHECK_ERROR(call::memory_create(inner.get(), page, abi::memory_flag::populate), no_memory);
    CHECK_ERROR(call::notification_create(inner.get()), no_memory);
}

KERNEL_USER_TEST(contiguous_memory_keeps_its_size) {
    const Owned memory = make_memory(3 * page, abi::memory_flag::contiguous);
    REQUIRE(memory);
    CHECK_ERROR(call::memory_resize(memory.get(), page), bad_state);
}

KERNEL_USER_TEST(a_memory_is_mapped_as_its_rights_allow) {
    constexpr abi::Rights rights[] = {right::read, right::write, right::execute};
    const Owned memory = make_memory(page);
    const Place place(1);
    REQUIRE(memory);
    for (unsigned held = 0; held < 8; ++held) {
        abi::Rights granted = right::map;
        for (unsigned bit = 0; bit < 3; ++bit) granted |= (held >> bit & 1) != 0 ? rights[bit] : 0;
        const Owned weaker(call::handle_duplicate(memory.get(), granted, 0, 0).value_or(0));
        REQUIRE(weaker);
        // What no mapping has, and writable and executable at once aside.
        for (const abi::Protection wanted : {protection::read, protection::write, protection::execute, read_write, protection::read | protection::execute}) {
            const bool allowed = (wanted & ~held) == 0;
            const auto mapped = call::space_map(space(), weaker.get(), place.at, 0, page, wanted);
            CHECK(error_of(mapped) == (allowed ? 0 : static_cast<std::int32_t>(abi::Error::missing_right)));
            CHECK(call::space_unmap(space(), place.at, page));
        }
    }
}

// Over the end of a page a copy goes by the tables, and takes hold of each page for as long as it takes.
KERNEL_USER_TEST(a_copy_lets_go_of_what_it_wrote_to) {
    constexpr unsigned rounds = 64;
    const Owned memory = make_memory(4 * page, abi::memory_flag::populate);
    const Place place(4);
    REQUIRE(memory);
    const auto copy = [&] {
        CHECK(call::space_map(space(), 0, place.at, 0, 4 * page, read_write));
        CHECK(call::memory_read(memory.get(), 0, {reinterpret_cast<std::byte*>(place.at), 4 * page}));
        CHECK(call::memory_write(memory.get(), 0, {reinterpret_cast<const std::byte*>(place.at), 4 * page}));
        CHECK(call::space_unmap(space(), place.at, 4 * page));
    };
    copy();
    const auto before = figures();
    for (unsigned i = 0; i < rounds; ++i) copy();
    CHECK(comes_true([&] { return figures().used_pages <= before.used_pages + 1; }));
    CHECK(comes_true([&] { return figures().free_pages + rounds > before.free_pages; }));
}

KERNEL_USER_TEST(what_is_cut_off_is_not_mapped) {
    const Place place(2);
    const Owned memory = make_memory(2 * page);
    CHECK(call::space_map(space(), memory.get(), place.at, 0, 2 * page, read_write));
    place.word(0) = place.word(1) = 5;
    CHECK(call::memory_resize(memory.get(), page));
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(place.at + page)), bad_pointer);
    CHECK(place.word(0) == 5);
}

KERNEL_USER_TEST(a_run_gives_back_what_it_does_not_need) {
    for (int i = 0; i < 3; ++i) CHECK(make_memory(3 * page, abi::memory_flag::contiguous));
    const std::uint64_t before = figures().free_pages;
    for (int i = 0; i < 50; ++i) CHECK(make_memory(3 * page, abi::memory_flag::contiguous));
    CHECK(figures().free_pages == before);
}

KERNEL_USER_TEST(a_released_pin_can_be_sealed) {
    const Owned view(call::io_space_create(native::granted("io_space"), quota()).value_or(0));
    const Owned memory = make_memory(page, abi::memory_flag::contiguous);
    REQUIRE(view && memory);
    CHECK(call::io_space_map(view.get(), memory.get()));
    CHECK_ERROR(call::memory_seal(memory.get()), bad_state);
    CHECK(call::io_space_release(view.get()));
    CHECK(call::memory_seal(memory.get()));
}

KERNEL_USER_TEST(w_xor_x_binds_own_memory) {
    const Place place(1);
    CHECK_ERROR(call::space_map(space(), 0, place.at, 0, page, read_write | protection::execute), bad_argument);
    CHECK(call::space_map(space(), 0, place.at, 0, page, read_write));
    CHECK_ERROR(call::space_protect(space(), place.at, page, read_write | protection::execute), bad_argument);
}

// The page is not there yet: the kernel's write brings none in.
KERNEL_USER_TEST(a_fault_asks_for_the_protection) {
    const Place place(1);
    const Owned memory = make_memory(page);
    CHECK(call::space_map(space(), memory.get(), place.at, 0, page, protection::read));
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(place.at)), bad_pointer);
    CHECK(place.word(0) == 0);
}

KERNEL_USER_TEST(a_protection_holds_at_once) {
    const Place place(1);
    CHECK(call::space_map(space(), 0, place.at, 0, page, read_write));
    for (int round = 0; round < 4; ++round) {
        place.word(0) = 77;
        CHECK(call::space_protect(space(), place.at, page, protection::read));
        CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(place.at)), bad_pointer);
        CHECK(place.word(0) == 77);
        CHECK(call::space_protect(space(), place.at, page, read_write));
    }
}

KERNEL_USER_TEST(a_move_takes_every_page) {
    const Place place(8);
    const Owned memory = make_memory(2 * page);
    CHECK(call::space_map(space(), memory.get(), place.at, 0, 2 * page, read_write));
    CHECK(call::space_move(space(), place.at, place.at + 4 * page, 2 * page));
    // Both come by faults from here on.
    for (std::uint64_t i = 0; i < 2; ++i) place.word(4 + i) = 100 + i;
    std::uint64_t value = 0;
    CHECK(call::memory_read(memory.get(), page, std::as_writable_bytes(std::span(&value, 1))));
    CHECK(value == 101);
    CHECK_ERROR(call::space_move(space(), place.at + 4 * page, place.at + 5 * page, 2 * page), bad_argument);
}

KERNEL_USER_TEST(a_split_mapping_shows_its_own_pages) {
    const Place place(3);
    const Owned memory = make_memory(3 * page);
    CHECK(call::space_map(space(), memory.get(), place.at, 0, 3 * page, read_write));
    CHECK(call::space_unmap(space(), place.at + page, page));
    for (std::uint64_t i = 0; i < 3; ++i) {
        const std::uint64_t value = 200 + i;
        CHECK(call::memory_write(memory.get(), i * page, std::as_bytes(std::span(&value, 1))));
    }
    CHECK(place.word(0) == 200 && place.word(2) == 202);
}

KERNEL_USER_TEST(a_word_of_a_device_is_not_waited_at) {
    const Place place(1);
    const Owned slice(call::device_slice(native::granted("device"), quota(), 0xfed0'0000, page).value_or(0));
    REQUIRE(slice);
    CHECK(call::device_map(slice.get(), place.at, protection::read));
    CHECK_ERROR(call::futex_wait(place.at, 0, abi::poll, 0, native::any_futex_bits), bad_pointer);
    CHECK_ERROR(call::futex_wake(place.at, 1, 2, 0, 0, native::any_futex_bits), bad_pointer);
}

// Neither by the caller's own mapping nor by a walk through its tables; memory beside it is copied.
KERNEL_USER_TEST(registers_of_a_device_are_not_copied) {
    const Place place(2);
    const Owned slice(call::device_slice(native::granted("device"), quota(), 0xfed0'0000, page).value_or(0)), memory = make_memory(page);
    REQUIRE(slice && memory);
    CHECK(call::device_map(slice.get(), place.at, read_write));
    CHECK(call::space_map(space(), 0, place.at + page, 0, page, read_write));
    const auto bytes_at = [](std::uint64_t at) { return std::span(reinterpret_cast<std::byte*>(at), 8); };
    CHECK_ERROR(call::memory_write(memory.get(), 0, bytes_at(place.at)), bad_pointer);
    CHECK_ERROR(call::memory_read(memory.get(), 0, bytes_at(place.at)), bad_pointer);
    CHECK_ERROR(call::memory_read(memory.get(), 0, std::span(reinterpret_cast<std::byte*>(place.at + page - 8), 16)), bad_pointer);
    CHECK_ERROR(call::quota_inspect(quota(), *reinterpret_cast<abi::QuotaInfo*>(place.at)), bad_pointer);
    place.word(1) = 7;
    std::uint64_t copied = 0;
    CHECK(call::memory_write(memory.get(), 0, bytes_at(place.at + page)));
    CHECK(call::memory_read(memory.get(), 0, std::as_writable_bytes(std::span(&copied, 1))) && copied == 7);
}

KERNEL_USER_TEST(the_last_byte_of_a_half) {
    const std::uint64_t end = abi::personality_end - page;
    CHECK_ERROR(call::process_set_fixup(end - 16, end + 1, abi::program_base), bad_pointer);
    CHECK_ERROR(call::process_set_fixup(end - 16, end, end), bad_pointer);
}

KERNEL_USER_TEST(a_log_line_has_a_limit) {
    static const std::byte text[1025] = {};
    CHECK_ERROR(call::log_write(native::granted("log"), std::span(text)), too_large);
}

KERNEL_USER_TEST(a_budget_is_no_better_than_its_parent) {
    const Owned parent(call::budget_create(quota(), budget(), {1024, 1, 0, 0, 0}).value_or(0));
    REQUIRE(parent);
    CHECK_ERROR(call::budget_create(quota(), parent.get(), {1024, 2, 0, 0, 0}), bad_argument);
    const Owned child(call::budget_create(quota(), parent.get(), {1024, 1, 0, 0, 0}).value_or(0));
    CHECK(child);
    CHECK_ERROR(call::budget_configure(child.get(), {1024, 2, 0, 0, 0}), bad_argument);
}

KERNEL_USER_TEST(a_handle_past_the_last_is_refused) {
    // Every table has a whole number of chunks of 32.
    for (std::uint64_t index = 0; index <= 4096; index += 32) CHECK_ERROR(call::handle_close(index | 0x7777ull << 32), bad_handle);
}
