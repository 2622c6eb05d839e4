// Restricted mode from a native program's side: a guest of a few instructions, its calls, faults and kicks, and what it cannot reach.
#include "tests/native/check.hpp"

#include <cstring>

#include "lib/native/thread_block.hpp"

using namespace test;

namespace {

constexpr std::uint64_t code_address = 0x400000;
constexpr std::uint64_t data_address = 0x600000;

abi::RestrictedState& state() { return native::current_thread().page->restricted; }

base::Result<void> enter(std::uint32_t flags = 0) { return native::call::restricted_enter(flags); }

void put_code(abi::Handle space, abi::Handle code, std::initializer_list<unsigned char> bytes) {
    // What may be executed is not written: it goes away meanwhile.
    CHECK(native::call::space_unmap(space, code_address, abi::page_size).has_value());
    CHECK(native::call::memory_write(code, 0, std::as_bytes(std::span(bytes.begin(), bytes.size()))).has_value());
    CHECK(native::call::space_map(space, code, code_address, 0, abi::page_size, abi::protection::read | abi::protection::execute).has_value());
    state().registers = {};
    state().registers.rip = code_address;
    state().registers.rflags = 0x202;
    state().operation_count = 0;
}

void calls(abi::Handle space, abi::Handle code) {
    // mov $39, %eax; syscall; inc %rbx; mov $40, %eax; syscall
    put_code(space, code, {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x48, 0xff, 0xc3, 0xb8, 40, 0, 0, 0, 0x0f, 0x05});
    state().registers.rbx = 41;
    state().registers.r15 = 0x1234567890;
    CHECK(enter(1).has_value());
    CHECK(state().reason == abi::ExitReason::syscall);
    CHECK(state().registers.rax == 39);
    CHECK(state().registers.rip == code_address + 7);
    CHECK(state().registers.r15 == 0x1234567890);
    CHECK(enter().has_value());
    CHECK(state().registers.rax == 40 && state().registers.rbx == 42);
}

void faults(abi::Handle space, abi::Handle code) {
    // movq %rdi, (%rsi); mov $1, %eax; syscall
    put_code(space, code, {0x48, 0x89, 0x3e, 0xb8, 1, 0, 0, 0, 0x0f, 0x05});
    state().registers.rdi = 77;
    state().registers.rsi = data_address;
    CHECK(enter().has_value());
    CHECK(state().reason == abi::ExitReason::exception && state().vector == 14);
    CHECK(state().fault_address == data_address);
    // The fault is mended in the same entry that goes on.
    state().operations[0] = {abi::MapOperation::Kind::map, abi::protection::read | abi::protection::write, data_address, 4096, abi::no_handle, 0};
    state().operation_count = 1;
    CHECK(enter().has_value());
    CHECK(state().reason == abi::ExitReason::syscall && state().registers.rax == 1);
    state().operation_count = 0;
    CHECK(*reinterpret_cast<volatile std::uint64_t*>(data_address) == 77);
    // ud2
    put_code(space, code, {0x0f, 0x0b});
    CHECK(enter().has_value());
    CHECK(state().reason == abi::ExitReason::exception && state().vector == 6);
    // cli
    put_code(space, code, {0xfa});
    CHECK(enter().has_value());
    CHECK(state().reason == abi::ExitReason::exception && state().vector == 13);
}

// A guest that reads, writes or runs what is the personality's, the kernel's or nobody's gets a fault and nothing else.
void borders(abi::Handle space, abi::Handle code) {
    const std::uint64_t places[] = {abi::program_base, abi::thread_pages_base, 0xffffa00000000000, 0xffffffff80000000, 0xffffffffff600000};
    for (const std::uint64_t place : places) {
        // movq (%rsi), %rax; syscall
        put_code(space, code, {0x48, 0x8b, 0x06, 0x0f, 0x05});
        state().registers.rsi = place;
        CHECK(enter().has_value());
        CHECK(state().reason == abi::ExitReason::exception && state().vector == 14);
        // movq %rax, (%rsi); syscall
        put_code(space, code, {0x48, 0x89, 0x06, 0x0f, 0x05});
        state().registers.rsi = place;
        CHECK(enter().has_value());
        CHECK(state().reason == abi::ExitReason::exception && state().vector == 14);
        // jmp *%rsi
        put_code(space, code, {0xff, 0xe6});
        state().registers.rsi = place;
        CHECK(enter().has_value());
        CHECK(state().reason == abi::ExitReason::exception && state().vector == 14);
    }
    put_code(space, code, {0x0f, 0x05});
    state().registers.rip = 0x800000000000;
    CHECK(!enter().has_value() || state().reason == abi::ExitReason::exception);
    put_code(space, code, {0x0f, 0x05});
    state().registers.fs_base = 0x900000000000;
    CHECK(!enter().has_value() || state().reason == abi::ExitReason::exception);
}

void copies(abi::Handle space, abi::Handle code) {
    auto* const word = reinterpret_cast<volatile std::uint64_t*>(data_address);
    *word = 5;
    const auto copy = native::call::space_fork(space, native::self().quota);
    CHECK(copy.has_value());
    *word = 6;
    CHECK(native::call::restricted_attach(*copy).has_value());
    CHECK(*word == 5);
    *word = 7;
    CHECK(native::call::restricted_attach(space).has_value());
    CHECK(*word == 6);
    CHECK(native::call::handle_close(*copy).has_value());
}

} // namespace

int native_main() {
    for (const std::uint32_t fused : {0u, 1u}) {
        const auto space = native::call::space_create(native::self().quota, fused);
        CHECK(space.has_value());
        const auto code = native::call::memory_create(native::self().quota, 4096, 0);
        CHECK(code.has_value());
        CHECK(native::call::restricted_attach(*space).has_value());
        CHECK(native::call::space_map(*space, *code, code_address, 0, 4096, abi::protection::read | abi::protection::execute).has_value());
        calls(*space, *code);
        faults(*space, *code);
        if (fused == 0)
            borders(*space, *code);
        copies(*space, *code);
        CHECK(native::call::restricted_attach(abi::no_handle).has_value());
        CHECK(native::call::handle_close(*space).has_value());
        CHECK(native::call::handle_close(*code).has_value());
    }
    finish();
}
