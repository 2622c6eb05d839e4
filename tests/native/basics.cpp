// The first program of a test image: uses the kernel's calls as any native program may, and says what held. Ends the machine through the debug exit device.
#include "tests/native/check.hpp"

#include "lib/native/heap.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

#include <cstring>

using namespace test;

namespace {

void handles() {
    const auto memory = native::call::memory_create(native::self().quota, 4096, 0);
    CHECK(memory.has_value());
    const auto reader = native::call::handle_duplicate(*memory, abi::right::read | abi::right::duplicate, 0, abi::no_handle);
    CHECK(reader.has_value());
    CHECK_ERROR(native::call::handle_duplicate(*reader, abi::right::write, 0, abi::no_handle), missing_right);
    std::byte byte{};
    CHECK(native::call::memory_read(*reader, 0, std::span(&byte, 1)).has_value());
    CHECK_ERROR(native::call::memory_write(*reader, 0, std::span<const std::byte>(&byte, 1)), missing_right);
    CHECK(native::call::handle_close(*memory).has_value());
    CHECK_ERROR(native::call::handle_close(*memory), bad_handle);
    CHECK_ERROR(native::call::memory_read(*memory, 0, std::span(&byte, 1)), bad_handle);
    CHECK(native::call::handle_close(*reader).has_value());
}

void leases() {
    const auto lease = native::call::lease_create(native::self().quota, abi::no_handle);
    CHECK(lease.has_value());
    const auto memory = native::call::memory_create(native::self().quota, 4096, 0);
    const auto leased = native::call::handle_duplicate(*memory, abi::right::read | abi::right::duplicate, 0, *lease);
    CHECK(leased.has_value());
    const auto copy = native::call::handle_duplicate(*leased, abi::right::read, 0, abi::no_handle);
    CHECK(copy.has_value());
    std::byte byte{};
    CHECK(native::call::memory_read(*copy, 0, std::span(&byte, 1)).has_value());
    CHECK(native::call::lease_revoke(*lease).has_value());
    CHECK_ERROR(native::call::memory_read(*leased, 0, std::span(&byte, 1)), revoked);
    CHECK_ERROR(native::call::memory_read(*copy, 0, std::span(&byte, 1)), revoked);
    CHECK(native::call::memory_read(*memory, 0, std::span(&byte, 1)).has_value());
}

void mappings() {
    constexpr std::uint64_t place = abi::heap_base + (1ull << 38);
    auto* const words = reinterpret_cast<volatile std::uint64_t*>(place);
    CHECK(native::call::space_map(native::self().space, abi::no_handle, place, 0, 1 << 20, abi::protection::read | abi::protection::write).has_value());
    CHECK(words[0] == 0 && words[100000] == 0);
    words[100000] = 7;
    CHECK(words[100000] == 7);
    CHECK_ERROR(native::call::space_map(native::self().space, abi::no_handle, place, 0, 4096, abi::protection::read), exists);
    CHECK(native::call::space_unmap(native::self().space, place, 1 << 20).has_value());
    const auto memory = native::call::memory_create(native::self().quota, 8192, 0);
    const std::uint64_t value = 42;
    CHECK(native::call::memory_write(*memory, 4096, std::as_bytes(std::span(&value, 1))).has_value());
    CHECK(native::call::space_map(native::self().space, *memory, place, 0, 8192, abi::protection::read | abi::protection::write).has_value());
    CHECK(words[512] == 42);
    words[513] = 43;
    std::uint64_t back = 0;
    CHECK(native::call::memory_read(*memory, 4104, std::as_writable_bytes(std::span(&back, 1))).has_value());
    CHECK(back == 43);
    CHECK(native::call::memory_seal(*memory).has_value());
    CHECK_ERROR(native::call::memory_write(*memory, 0, std::as_bytes(std::span(&value, 1))), bad_state);
    CHECK(native::call::space_unmap(native::self().space, place, 8192).has_value());
    CHECK_ERROR(native::call::space_map(native::self().space, *memory, place, 0, 8192, abi::protection::read | abi::protection::write), bad_state);
}

void notifications() {
    const auto bell = native::call::notification_create(native::self().quota);
    CHECK(bell.has_value());
    CHECK_ERROR(native::call::notification_wait(*bell, abi::poll), would_block);
    CHECK(native::call::notification_signal(*bell, 5).has_value());
    CHECK(native::call::notification_signal(*bell, 2).has_value());
    const auto bits = native::call::notification_wait(*bell, abi::never);
    CHECK(bits.has_value() && *bits == 7);
}

// The heap keeps a few of the ranges that came back for large buffers, and no more.
void buffers() {
    constexpr std::size_t size = 64 * 1024;
    native::heap::release(native::heap::allocate(size));
    const std::uint64_t before = native::heap::figures().span_bytes;
    for (unsigned i = 0; i < 100; ++i) {
        void* const buffer = native::heap::allocate(size);
        CHECK(buffer != nullptr && native::heap::capacity(buffer) >= size);
        std::memset(buffer, static_cast<int>(i), size);
        CHECK(native::heap::figures().span_bytes == before);
        native::heap::release(buffer);
    }
    void* many[16];
    for (void*& buffer : many) {
        buffer = native::heap::allocate(size);
        CHECK(buffer != nullptr);
        std::memset(buffer, 1, size);
    }
    CHECK(native::heap::figures().span_bytes >= before + 15 * size);
    for (void* buffer : many)
        native::heap::release(buffer);
    CHECK(native::heap::figures().span_bytes <= before + 4 * size);
}

} // namespace

int native_main() {
    native::print("first program: ", native::start_info().handle_count, " handles");
    handles();
    leases();
    mappings();
    notifications();
    buffers();
    finish();
}
