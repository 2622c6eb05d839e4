// A guest half for tests of restricted mode: the test program is the personality of the tiny guests of guest.S.
#pragma once
#include <cstdint>

#include "abi/thread_page.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/thread_block.hpp"

extern "C" const unsigned char peek_begin[], peek_end[], peek_landing[];

namespace kernel_test {

inline constexpr std::uint64_t code_at = 0x400000;
inline constexpr std::uint64_t data_at = 0x600000;
inline constexpr std::uint64_t stack_at = 0x7ffff0000000;
inline constexpr std::uint64_t page = abi::page_size;
inline constexpr std::uint32_t fused = 1;

inline abi::RestrictedState& state() { return native::current_thread().page->restricted; }
inline abi::GuestRegisters& guest() { return state().registers; }

// A guest half with code, two pages of data and a stack; attached to the calling thread.
struct Guest {
    abi::Handle space = 0;

    bool create(std::uint32_t flags, const unsigned char* begin, const unsigned char* end) {
        const auto made = native::call::space_create(quota(), flags);
        if (!made) return false;
        space = *made;
        const auto code = native::call::memory_create(quota(), page, 0);
        if (!code) return false;
        bool good = native::call::memory_write(*code, 0, {reinterpret_cast<const std::byte*>(begin), static_cast<std::size_t>(end - begin)}).has_value();
        good &= native::call::space_map(space, *code, code_at, 0, page, abi::protection::read | abi::protection::execute).has_value();
        good &= native::call::space_map(space, 0, data_at, 0, 2 * page, abi::protection::read | abi::protection::write).has_value();
        good &= native::call::space_map(space, 0, stack_at, 0, page, abi::protection::read | abi::protection::write).has_value();
        good &= native::call::handle_close(*code).has_value();
        good &= native::call::restricted_attach(space).has_value();
        guest() = {};
        guest().rip = code_at;
        guest().rsp = stack_at + page;
        // For native_peek and native_poke.
        good &= native::call::process_set_fixup(native::address_of(peek_begin), native::address_of(peek_end), native::address_of(peek_landing)).has_value();
        return good;
    }
    void close() {
        CHECK(native::call::restricted_attach(0));
        CHECK(native::call::handle_close(space));
    }
};

} // namespace kernel_test
