// Sizes of Memories, their windows, and what a seal ends.
#include <atomic>

#include "kernel/tests/native/leftovers.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;
namespace right = abi::right;
using native::Owned;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr abi::Rights every_right = right::duplicate | right::transfer | right::inspect | right::read | right::write | right::execute | right::map | right::control;

Owned make(std::uint64_t size, std::uint32_t flags = 0) { return Owned(call::memory_create(quota(), size, flags).value_or(0)); }
Owned make_sealed(std::uint64_t size) {
    Owned memory = make(size);
    CHECK(call::memory_seal(memory.get()));
    return memory;
}
abi::MemoryInfo look(const Owned& memory) {
    abi::MemoryInfo info{};
    CHECK(call::memory_inspect(memory.get(), info));
    return info;
}
base::Result<void> write(const Owned& memory, std::uint64_t offset, std::uint64_t value) { return call::memory_write(memory.get(), offset, std::as_bytes(std::span(&value, 1))); }
std::uint64_t read(const Owned& memory, std::uint64_t offset) {
    std::uint64_t value = ~std::uint64_t{0};
    CHECK(call::memory_read(memory.get(), offset, std::as_writable_bytes(std::span(&value, 1))));
    return value;
}

} // namespace

KERNEL_USER_TEST(who_resizes_without_end_keeps_no_seal_waiting) {
    constexpr std::uint64_t mappings = 512;
    static abi::Handle resized;
    static std::atomic<bool> over;
    static std::atomic<std::uint64_t> turns;
    const Owned memory = make(page);
    const std::uint64_t at = native::reserve_range(mappings * page).value_or(0);
    const Owned low(call::budget_create(quota(), budget(), {1024, 0, 0, 0, 1}).value_or(0));
    REQUIRE(at && low);
    for (std::uint64_t i = 0; i < mappings; ++i) CHECK(call::space_map(space(), memory.get(), at + i * page, 0, page, abi::protection::read));
    resized = memory.get();
    over = false;
    turns = 0;
    // The Memory is in work all the time, but for moments.
    auto* const thread = native::Thread::create([](void*) {
        while (!over && call::memory_resize(resized, 0) && call::memory_resize(resized, page)) ++turns;
    }, nullptr, {.budget = low.get()}).value_or(nullptr);
    REQUIRE(thread && comes_true([] { return turns > 2; }));
    // This thread is above that one: what goes on while it waits is what it waits for.
    const std::uint64_t before = turns;
    CHECK(call::memory_seal(memory.get()));
    CHECK(turns - before <= 1);
    over = true;
    thread->join();
    CHECK(call::space_unmap(space(), at, mappings * page));
    native::release_range(at, mappings * page);
}

KERNEL_USER_TEST(a_size_is_rounded_up_to_pages) { CHECK(look(make(page + 1)).size == 2 * page); }

KERNEL_USER_TEST(undefined_flags_of_a_memory_are_refused) { CHECK_ERROR(call::memory_create(quota(), page, 4), bad_argument); }

KERNEL_USER_TEST(a_memory_without_use_has_no_frames) { CHECK(look(make(64 * page)).frames == 0); }

KERNEL_USER_TEST(what_was_not_written_reads_as_zero) { CHECK(read(make(page), 128) == 0); }

KERNEL_USER_TEST(a_memory_that_grows_keeps_its_content) {
    const Owned memory = make(page);
    CHECK(write(memory, 8, 7));
    CHECK(call::memory_resize(memory.get(), 4 * page));
    CHECK(read(memory, 8) == 7 && read(memory, 3 * page) == 0);
}

KERNEL_USER_TEST(what_was_cut_off_comes_back_as_zero) {
    const Owned memory = make(2 * page);
    CHECK(write(memory, page, 7));
    CHECK(call::memory_resize(memory.get(), page));
    CHECK(call::memory_resize(memory.get(), 2 * page));
    CHECK(read(memory, page) == 0);
}

KERNEL_USER_TEST(nothing_is_written_past_the_end) {
    const Owned memory = make(page);
    CHECK_ERROR(write(memory, page - 4, 1), bad_argument);
    CHECK_ERROR(write(memory, ~std::uint64_t{0} - 3, 1), bad_argument);
    CHECK(read(memory, page - 8) == 0);
}

KERNEL_USER_TEST(a_sealed_memory_says_so) { CHECK(look(make_sealed(page)).sealed == 1 && look(make(page)).sealed == 0); }

KERNEL_USER_TEST(a_sealed_memory_is_read) {
    const Owned memory = make(page);
    CHECK(write(memory, 0, 5));
    CHECK(call::memory_seal(memory.get()));
    CHECK(read(memory, 0) == 5);
}

// Who writes to what others have mapped does not take it from them.
KERNEL_USER_TEST(sealing_takes_the_right_of_control) {
    const Owned memory = make(page), weak(native::duplicate(memory.get(), every_right & ~right::control).value_or(0));
    REQUIRE(weak);
    CHECK_ERROR(call::memory_seal(weak.get()), missing_right);
    CHECK(look(memory).sealed == 0);
    CHECK(write(weak, 0, 3) && read(memory, 0) == 3);
}

KERNEL_USER_TEST(resizing_takes_the_right_of_control) {
    const Owned memory = make(2 * page), weak(native::duplicate(memory.get(), every_right & ~right::control).value_or(0));
    REQUIRE(weak && write(memory, page, 7));
    for (const std::uint64_t size : {std::uint64_t{0}, page, 4 * page, std::uint64_t{1} << 39}) CHECK_ERROR(call::memory_resize(weak.get(), size), missing_right);
    CHECK(look(memory).size == 2 * page && look(memory).frames == 1 && read(memory, page) == 7);
}

KERNEL_USER_TEST(control_does_not_take_the_right_to_write) {
    const Owned memory = make(2 * page), controller(native::duplicate(memory.get(), right::control).value_or(0));
    REQUIRE(controller);
    CHECK(call::memory_resize(controller.get(), page) && call::memory_seal(controller.get()));
    CHECK(look(memory).size == page && look(memory).sealed == 1);
}

KERNEL_USER_TEST(a_window_is_of_whole_pages) {
    const Owned memory = make_sealed(4 * page);
    CHECK_ERROR(call::memory_slice(quota(), memory.get(), 1, page), bad_argument);
    CHECK_ERROR(call::memory_slice(quota(), memory.get(), 0, 0), bad_argument);
}

KERNEL_USER_TEST(a_window_is_not_written) {
    const Owned memory = make_sealed(2 * page), window(call::memory_slice(quota(), memory.get(), 0, page).value_or(0));
    abi::HandleInfo info{};
    CHECK(call::handle_inspect(window.get(), info) && (info.rights & (right::read | right::write | right::control)) == right::read);
}

KERNEL_USER_TEST(a_window_does_not_wrap) { CHECK_ERROR(call::memory_slice(quota(), make_sealed(4 * page).get(), page, 0 - page), bad_argument); }

KERNEL_USER_TEST(a_window_is_sealed_itself) {
    const Owned memory = make_sealed(4 * page), window(call::memory_slice(quota(), memory.get(), page, page).value_or(0));
    REQUIRE(window);
    CHECK(look(window).sealed == 1 && look(window).size == page);
}

KERNEL_USER_TEST(a_window_of_a_window_shows_the_same_bytes) {
    const Owned memory = make(4 * page);
    CHECK(write(memory, 2 * page, 0x77));
    CHECK(call::memory_seal(memory.get()));
    const Owned outer(call::memory_slice(quota(), memory.get(), page, 2 * page).value_or(0)), inner(call::memory_slice(quota(), outer.get(), page, page).value_or(0));
    REQUIRE(inner);
    CHECK(read(inner, 0) == 0x77);
}

KERNEL_USER_TEST(a_window_outlives_its_memory) {
    Owned memory = make(2 * page);
    CHECK(write(memory, page, 9));
    CHECK(call::memory_seal(memory.get()));
    const Owned window(call::memory_slice(quota(), memory.get(), page, page).value_or(0));
    memory.reset();
    CHECK(read(window, 0) == 9);
}
