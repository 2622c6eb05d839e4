// What others still do to memory when it has changed hands: a device that was told of it, and the kernel's own copies.
#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/thread.hpp"

#include <array>
#include <atomic>

using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

namespace {

constexpr std::uint64_t page = abi::page_size;
constexpr std::size_t copied = 1024; // what the kernel copies at once
constexpr std::size_t words = copied / sizeof(std::uint64_t);

// --- code
// Maps the Memory there to be written, and puts a function into it that gives 42.
bool write_code(abi::Handle memory, std::uint64_t at) {
    // mov eax, 42; ret
    constexpr std::array<unsigned char, 6> code{0xb8, 42, 0, 0, 0, 0xc3};
    if (!call::space_map(space(), memory, at, 0, page, protection::read | protection::write)) return false;
    auto* const written = reinterpret_cast<volatile unsigned char*>(at);
    for (std::size_t i = 0; i < code.size(); ++i) written[i] = code[i];
    return true;
}

// --- copies into memory that is sealed meanwhile
constinit std::atomic<std::uint64_t> target = 0; // where the copies go; 0: nowhere
constinit std::atomic<std::uint64_t> copies = 0;
constinit std::atomic<bool> stop = false;
constinit std::array<abi::Handle, 2> sources{};

void copy_for_ever(void*) {
    for (unsigned i = 0; !stop.load(); ++i) {
        const std::uint64_t at = target.load();
        if (at != 0 && call::memory_read(sources[i % 2], 0, {reinterpret_cast<std::byte*>(at), copied})) copies.fetch_add(1);
        if (at == 0) (void)call::thread_yield();
    }
}

bool make_sources() {
    for (std::size_t i = 0; i < sources.size(); ++i) {
        std::array<std::uint64_t, words> content{};
        content.fill(i + 1);
        sources[i] = call::memory_create(quota(), page, 0).value_or(0);
        if (!sources[i] || !call::memory_write(sources[i], 0, std::as_bytes(std::span(content)))) return false;
    }
    return true;
}

// One Memory, sealed in the midst of copies into it. The number of its words that changed after the seal.
std::uint64_t changes_after_seal(std::uint64_t at) {
    const auto memory = call::memory_create(quota(), page, 0);
    if (!memory || !call::space_map(space(), *memory, at, 0, page, protection::read | protection::write)) return 1;
    const std::uint64_t before = copies.load();
    target = at;
    while (copies.load() < before + 3) (void)call::thread_yield();
    const bool sealed = call::memory_seal(*memory).has_value();
    std::array<std::uint64_t, words> seen{};
    const auto* const content = reinterpret_cast<const volatile std::uint64_t*>(at);
    for (std::size_t i = 0; i < words; ++i) seen[i] = content[i];
    const std::uint64_t end = native::after_milliseconds(5);
    while (native::monotonic_nanoseconds() < end) (void)call::thread_yield();
    std::uint64_t changed = !sealed;
    for (std::size_t i = 0; i < words; ++i) changed += seen[i] != content[i];
    target = 0;
    (void)call::space_unmap(space(), at, page);
    (void)call::handle_close(*memory);
    return changed;
}

std::uint64_t pinned_address(abi::Handle io_space, abi::Handle memory) { return call::io_space_map(io_space, memory).value_or(0); }

} // namespace

KERNEL_USER_TEST(no_copy_ends_after_a_seal) {
    REQUIRE(make_sources());
    const std::uint64_t at = native::reserve_range(page).value_or(0);
    REQUIRE(at);
    native::Thread* const copier = native::Thread::create(copy_for_ever, nullptr).value_or(nullptr);
    REQUIRE(copier);
    std::uint64_t changed = 0;
    for (unsigned i = 0; i < 40 && changed == 0; ++i) changed = changes_after_seal(at);
    stop = true;
    copier->join();
    CHECK(changed == 0);
    native::release_range(at, page);
    for (const abi::Handle source : sources) CHECK(call::handle_close(source));
}

// One mapping to write and one to execute would make the two together what a single one may not be.
KERNEL_USER_TEST(no_memory_is_written_and_executed) {
    const auto memory = call::memory_create(quota(), page, 0);
    const std::uint64_t at = native::reserve_range(2 * page).value_or(0);
    REQUIRE(memory && at);
    REQUIRE(write_code(*memory, at));
    const auto executed = call::space_map(space(), *memory, at + page, 0, page, protection::read | protection::execute);
    CHECK_ERROR(executed, bad_state);
    if (executed) CHECK(reinterpret_cast<int (*)()>(at + page)() != 42);
    CHECK(call::space_unmap(space(), at, 2 * page));
    CHECK(call::handle_close(*memory));
    native::release_range(at, 2 * page);
}

// A private page shows the Memory's own until it is copied, and whoever writes to that changes what is executed.
KERNEL_USER_TEST(no_private_code_is_written_by_others) {
    const auto memory = call::memory_create(quota(), page, 0);
    const std::uint64_t at = native::reserve_range(2 * page).value_or(0);
    REQUIRE(memory && at);
    REQUIRE(write_code(*memory, at));
    REQUIRE(call::space_map(space(), *memory, at + page, 0, page, protection::read | protection::execute | abi::map_flag::copy_on_write));
    const auto executed = reinterpret_cast<int (*)()>(at + page);
    CHECK(executed() == 42);
    reinterpret_cast<volatile unsigned char*>(at)[1] = 43;
    CHECK(executed() == 42);
    CHECK(call::space_unmap(space(), at, 2 * page));
    CHECK(call::handle_close(*memory));
    native::release_range(at, 2 * page);
}

// A device writes to what it was told of until it is reset, whatever became of the driver and its handles.
KERNEL_USER_TEST(memory_of_a_device_goes_to_nobody) {
    const auto own = call::io_space_create(native::granted("io_space"), quota());
    const auto other = call::io_space_create(native::granted("io_space"), quota());
    const auto payer = call::quota_create(quota(), 64);
    REQUIRE(own && other && payer);
    const auto memory = call::memory_create(*payer, page, abi::memory_flag::contiguous);
    REQUIRE(memory);
    const std::uint64_t address = pinned_address(*own, *memory);
    REQUIRE(address);
    CHECK(pinned_address(*own, *memory) == address);
    CHECK_ERROR(call::io_space_map(*other, *memory), bad_state);
    CHECK_ERROR(call::memory_seal(*memory), bad_state);
    abi::QuotaInfo before{}, after{};
    CHECK(call::quota_inspect(*payer, before));
    CHECK(call::handle_close(*memory));
    CHECK(call::quota_inspect(*payer, after));
    CHECK(before.used_pages == after.used_pages);
    for (unsigned i = 0; i < 8; ++i) {
        const auto next = call::memory_create(*payer, page, abi::memory_flag::contiguous);
        REQUIRE(next);
        const std::uint64_t there = pinned_address(*other, *next);
        CHECK(there != 0 && there != address);
        CHECK(call::handle_close(*next));
    }
    // Without the right, what a driver has does not give it back.
    const auto weak = call::handle_duplicate(*own, abi::right::map, 0, 0);
    REQUIRE(weak);
    CHECK_ERROR(call::io_space_release(*weak), missing_right);
    CHECK(call::io_space_release(*own));
    CHECK(call::io_space_release(*other));
    CHECK(call::io_space_release(*other));
    CHECK(call::quota_inspect(*payer, after));
    CHECK(after.used_pages + 1 <= before.used_pages);
    for (const abi::Handle handle : {*weak, *own, *other, *payer}) CHECK(call::handle_close(handle));
}

// With its last handle an IoSpace does not give up its pins.
KERNEL_USER_TEST(an_io_space_without_handles_keeps_its_memory) {
    const auto payer = call::quota_create(quota(), 64);
    const auto own = call::io_space_create(native::granted("io_space"), quota());
    REQUIRE(payer && own);
    const auto memory = call::memory_create(*payer, page, abi::memory_flag::contiguous);
    REQUIRE(memory && pinned_address(*own, *memory));
    CHECK(call::handle_close(*own));
    CHECK(call::handle_close(*memory));
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(*payer, info));
    CHECK(info.object_count[static_cast<std::size_t>(abi::ObjectKind::memory)] == 1);
    CHECK(call::handle_close(*payer));
}
