// The thread's bit chooses the dispatcher, the guest half is not executed with native rights, and native pointers lie in the personality half.
#include <cstring>

#include "abi/thread_page.hpp"
#include "lib/native/thread_block.hpp"
#include "tests/attacks/native/cell.hpp"

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

extern "C" {
extern const unsigned char borrowed_call[];
extern const unsigned char guest_borrow[], guest_borrow_back[], guest_borrow_end[], guest_answer[], guest_answer_end[], guest_call[], guest_call_end[], guest_reach[], guest_reach_end[];
std::uint64_t run_there(std::uint64_t address, std::uint64_t number, std::uint64_t a, std::uint64_t b);
}

namespace {

constexpr std::uint64_t code_at = 0x400000;
constexpr std::uint32_t split = 0, fused = 1;
constexpr std::uint64_t invalid_instruction = 6, page_fault = 14;
constexpr auto signal_number = static_cast<std::uint64_t>(abi::KernelCall::notification_signal);

abi::RestrictedState& state() { return native::current_thread().page->restricted; }

// Guest code at code_at, in a space that is attached to the calling thread. Returns the space.
base::Result<abi::Handle> make_guest(abi::Handle payer, std::uint32_t flags, const unsigned char* begin, const unsigned char* end) {
    const auto space = TRY(call::space_create(payer, flags));
    const auto code = TRY(call::memory_create(payer, abi::page_size, 0));
    TRY(call::memory_write(code, 0, {reinterpret_cast<const std::byte*>(begin), static_cast<std::size_t>(end - begin)}));
    TRY(call::space_map(space, code, code_at, 0, abi::page_size, protection::read | protection::execute));
    TRY(call::handle_close(code));
    TRY(call::restricted_attach(space));
    // The page is there before it is attacked: what refuses is the entry's bits, not its absence.
    (void)*reinterpret_cast<const volatile unsigned char*>(code_at);
    return space;
}

// --- in a cell: given(0) is a quota, given(1) a notification, given(2) the cell's own process
constexpr std::uint64_t not_set_up = 1000;

std::uint64_t jump_to_the_guest(std::uint64_t flags) {
    if (!make_guest(given(0), static_cast<std::uint32_t>(flags), guest_answer, guest_answer_end)) return not_set_up;
    return run_there(code_at, 0, 0, 0);
}

std::uint64_t call_from_the_guest_half(std::uint64_t flags) {
    if (!make_guest(given(0), static_cast<std::uint32_t>(flags), guest_call, guest_call_end)) return not_set_up;
    return run_there(code_at, signal_number, given(1), 1);
}

// Writes over what follows an array of its own.
[[gnu::noinline]] std::uint64_t write_over_a_frame(std::uint64_t words) {
    volatile std::uint64_t array[4] = {};
    volatile std::uint64_t* at = array;
    asm volatile("" : "+r"(at));
    for (std::uint64_t i = 0; i < 4 + words; ++i) at[i] = 1;
    return array[0];
}

base::Result<abi::ProcessInfo> run_with_bell(Attack attack, std::uint32_t flags, abi::Handle bell) {
    auto cell = TRY(Cell::create(quota()));
    TRY(cell.give(quota()));
    TRY(cell.give(bell));
    return run(cell, attack, flags);
}

} // namespace

// What is told of a fault: all but the address and the registers, which the guest chose.
struct Told {
    abi::ExitReason reason;
    std::uint32_t vector;
    std::uint64_t error_code;
    abi::GuestRegisters registers;
    bool operator==(const Told& other) const {
        return reason == other.reason && vector == other.vector && error_code == other.error_code && !std::memcmp(&registers, &other.registers, sizeof registers);
    }
};

Told reach(std::uint64_t address, std::uint64_t kind) {
    abi::GuestRegisters& guest = state().registers;
    guest = {};
    guest.rip = code_at;
    guest.rdi = address;
    guest.rdx = kind;
    CHECK(call::restricted_enter(0));
    Told told{state().reason, state().vector, state().error_code, guest};
    CHECK(told.registers.rdi == address && state().fault_address == address);
    told.registers.rdi = 0;
    // The jump's own target is where it stands.
    if (kind == 2 && told.registers.rip == address) told.registers.rip = 0;
    return told;
}

// In a fused space a guest can jump to any SYSCALL instruction of its personality, with registers of its own. It is a guest's call all the same.
KERNEL_USER_TEST(a_guest_makes_no_native_call_from_native_code) {
    const auto space = make_guest(quota(), fused, guest_borrow, guest_borrow_end);
    REQUIRE(space);
    const auto bell = call::notification_create(quota());
    REQUIRE(bell);
    abi::GuestRegisters& guest = state().registers;
    guest = {};
    guest.rip = code_at;
    guest.rflags = 0x202;
    guest.rax = signal_number;
    guest.rdi = *bell;
    guest.rsi = 1;
    guest.r14 = reinterpret_cast<std::uint64_t>(borrowed_call);
    guest.r15 = code_at + static_cast<std::uint64_t>(guest_borrow_back - guest_borrow);
    CHECK(call::restricted_enter(0));
    CHECK(state().reason == abi::ExitReason::syscall);
    CHECK(guest.rax == signal_number && guest.rip == reinterpret_cast<std::uint64_t>(borrowed_call) + 2);
    CHECK_ERROR(call::notification_wait(*bell, abi::poll), would_block);
    CHECK(call::restricted_attach(abi::no_handle));
    CHECK(call::handle_close(*bell));
    CHECK(call::handle_close(*space));
}

// Where the kernel lies is not to be learnt by asking for it: steps of less than its image's size through the part of the address space that it lies in.
KERNEL_USER_TEST(a_fault_does_not_tell_what_the_kernel_has_mapped) {
    const auto space = make_guest(quota(), split, guest_reach, guest_reach_end);
    REQUIRE(space);
    constexpr std::uint64_t image = 0xffff'ffff'8000'0000, image_step = 128 << 10;
    constexpr std::uint64_t memory = 0xffff'a000'0000'0000, devices = 0xffff'a080'0000'0000, stacks = 0xffff'a100'0000'0000;
    constexpr std::uint64_t nothing = 0xffff'a040'0000'0000; // mapped by no kernel: between memory and devices
    for (std::uint64_t kind = 0; kind < 3; ++kind) {
        const Told known = reach(nothing, kind);
        CHECK(known.reason == abi::ExitReason::exception && known.vector == page_fault);
        for (const std::uint64_t part : {memory, memory + (1 << 20), memory + (64 << 20), devices, devices + abi::page_size, stacks, stacks + abi::page_size, stacks + 2 * abi::page_size})
            CHECK(reach(part, kind) == known);
        unsigned different = 0;
        for (std::uint64_t at = image; at >= image; at += image_step) different += !(reach(at, kind) == known);
        CHECK(different == 0);
    }
    CHECK(call::restricted_attach(abi::no_handle));
    CHECK(call::handle_close(*space));
}

KERNEL_USER_TEST(a_frame_that_is_written_over_ends_the_process) {
    auto cell = Cell::create(quota());
    REQUIRE(cell);
    const auto end = run(*cell, write_over_a_frame, 2);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::fault && end->status == invalid_instruction);
}

KERNEL_USER_TEST(native_code_does_not_run_in_the_guest_half) {
    const auto bell = call::notification_create(quota());
    REQUIRE(bell);
    const auto end = run_with_bell(jump_to_the_guest, split, *bell);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::fault && end->status == page_fault && end->fault_address == code_at);
    CHECK(call::handle_close(*bell));
}

// A fused space has no second root, so there the call's own place tells.
KERNEL_USER_TEST(a_native_call_from_the_guest_half_ends_the_process) {
    const auto bell = call::notification_create(quota());
    REQUIRE(bell);
    const auto end = run_with_bell(call_from_the_guest_half, fused, *bell);
    REQUIRE(end);
    CHECK(end->reason == abi::EndReason::fault);
    CHECK_ERROR(call::notification_wait(*bell, abi::poll), would_block);
    CHECK(call::handle_close(*bell));
}

// The page tables name a page by the low bits of its address, so the same bits in another half would lead to it if nobody looked at the rest.
KERNEL_USER_TEST(native_pointers_lie_in_the_personality_half) {
    alignas(8) static std::uint64_t target;
    const auto memory = call::memory_create(quota(), abi::page_size, 0);
    REQUIRE(memory);
    const std::uint64_t value = 0x5ec3e7;
    REQUIRE(call::memory_write(*memory, 0, std::as_bytes(std::span(&value, 1))));
    const std::uint64_t within = reinterpret_cast<std::uint64_t>(&target) & 0x7f'ffff'ffff;
    const std::uint64_t halves[] = {0, 0x7f80'0000'0000, 0xffff'8080'0000'0000, 0xffff'a000'0000'0000, 0xffff'ff80'0000'0000};
    for (const std::uint64_t half : halves) {
        target = 0;
        const auto read = call::raw(abi::KernelCall::memory_read, *memory, 0, half | within, sizeof(target), 0, 0);
        CHECK(read.status == -static_cast<std::int64_t>(abi::Error::bad_pointer));
        CHECK(target == 0);
        const auto inspected = call::raw(abi::KernelCall::memory_inspect, *memory, half | within, 0, 0, 0, 0);
        CHECK(inspected.status == -static_cast<std::int64_t>(abi::Error::bad_pointer));
    }
    // Ranges that end outside, or come round.
    const std::uint64_t here = reinterpret_cast<std::uint64_t>(&target);
    for (const std::uint64_t length : {abi::personality_end - here, ~here + 2, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
        const auto read = call::raw(abi::KernelCall::memory_read, *memory, 0, here, length, 0, 0);
        CHECK(read.status < 0);
    }
    CHECK(call::handle_close(*memory));
}

// What the guest half's calls take lies in the guest half.
KERNEL_USER_TEST(guest_addresses_lie_in_the_guest_half) {
    constexpr std::uint32_t in_guest = 1;
    static std::uint32_t word = 5;
    const auto space = make_guest(quota(), split, guest_answer, guest_answer_end);
    REQUIRE(space);
    CHECK_ERROR(call::futex_wait(native::address_of(&word), 5, abi::poll, in_guest, native::any_futex_bits), bad_pointer);
    CHECK_ERROR(call::futex_wait(abi::guest_end, 0, abi::poll, in_guest, native::any_futex_bits), bad_pointer);
    CHECK_ERROR(call::futex_wait(abi::guest_end - 2, 0, abi::poll, in_guest, native::any_futex_bits), bad_argument);
    CHECK_ERROR(call::space_map(*space, abi::no_handle, abi::personality_base, 0, abi::page_size, protection::read), bad_argument);
    CHECK_ERROR(call::space_map(*space, abi::no_handle, abi::guest_end, 0, abi::page_size, protection::read), bad_argument);
    CHECK_ERROR(call::space_map(*space, abi::no_handle, abi::guest_end - abi::page_size, 0, 2 * abi::page_size, protection::read), bad_argument);
    CHECK_ERROR(call::space_map(*space, abi::no_handle, code_at, 0, ~std::uint64_t{0} - code_at + 2, protection::read), bad_argument);
    CHECK(call::restricted_attach(abi::no_handle));
    CHECK(call::handle_close(*space));
}
