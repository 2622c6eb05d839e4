// What a personality asks for its guest: flags and places that no guest may have, also such as come between the kernel's check and its use.
#include "abi/thread_page.hpp"
#include "lib/native/thread.hpp"
#include "lib/native/thread_block.hpp"
#include "tests/attacks/native/cell.hpp"

#include <algorithm>
#include <atomic>

using namespace attacks;
using namespace kernel_test;
namespace call = native::call;
namespace protection = abi::protection;

extern "C" {
extern const unsigned char borrowed_call[];
extern const unsigned char guest_privileged[], guest_privileged_end[], guest_marked[], guest_marked_end[];
}

namespace {

constexpr std::uint64_t code_at = 0x400000;
constexpr std::uint32_t fused = 1;
constexpr std::uint64_t general_protection = 13;
constexpr std::uint64_t trap = 0x100, privilege = 0x3000, allowed = 0x240fd7; // SDM volume 1, 3.4.3

abi::RestrictedState& state() { return native::current_thread().page->restricted; }

// In a fused space, so that nothing but the kernel's checks keeps the guest in its half.
native::Owned make_guest(const unsigned char* begin, const unsigned char* end) {
    native::Owned space(call::space_create(quota(), fused).value_or(0));
    const native::Owned code(call::memory_create(quota(), abi::page_size, 0).value_or(0));
    const bool good = space && code && call::memory_write(code.get(), 0, std::as_bytes(std::span(begin, end))) &&
                      call::space_map(space.get(), code.get(), code_at, 0, abi::page_size, protection::read | protection::execute) && call::restricted_attach(space.get());
    return good ? std::move(space) : native::Owned();
}

// Writes where the guest goes on while its personality enters it.
struct Racer {
    volatile std::uint64_t* rip;
    std::atomic<bool> over = false;

    static void run(void* argument) {
        auto& self = *static_cast<Racer*>(argument);
        for (unsigned turn = 0; !self.over; ++turn) {
            *self.rip = turn % 2 ? code_at : reinterpret_cast<std::uint64_t>(borrowed_call);
            if (turn % 1024 == 0) (void)call::thread_yield();
        }
    }
};

} // namespace

KERNEL_USER_TEST(a_guest_gets_no_flags_of_privilege) {
    const native::Owned space = make_guest(guest_privileged, guest_privileged_end);
    REQUIRE(space);
    for (unsigned bit = 0; bit < 64; ++bit) {
        for (const std::uint64_t flags : {1ull << bit, ~(1ull << bit) & ~trap, privilege | 1ull << bit}) {
            if (flags & trap) continue;
            abi::GuestRegisters& guest = state().registers;
            guest = {};
            guest.rip = guest.rcx = code_at;
            guest.rflags = guest.r11 = flags;
            CHECK(call::restricted_enter(0));
            CHECK(state().reason == abi::ExitReason::exception && state().vector == general_protection && guest.rip == code_at);
            // Beside what was asked for, the resume flag of a fault.
            CHECK((guest.rflags & ~(allowed | 0x200 | 0x10000)) == 0);
        }
    }
    CHECK(call::restricted_attach(abi::no_handle));
}

KERNEL_USER_TEST(a_guest_goes_nowhere_that_is_no_address_of_its_own) {
    const native::Owned space = make_guest(guest_marked, guest_marked_end);
    REQUIRE(space);
    for (const std::uint64_t place : {abi::guest_end, std::uint64_t{0x7fff'ffff'ffff}, std::uint64_t{0x8000'0000'0000}, std::uint64_t{0xffff'7fff'ffff'ffff}, abi::personality_base,
                                      reinterpret_cast<std::uint64_t>(borrowed_call), std::uint64_t{0xffff'ffff'8000'0000}, ~std::uint64_t{0}}) {
        abi::GuestRegisters& guest = state().registers;
        guest = {};
        guest.rip = guest.rcx = place;
        guest.rflags = guest.r11 = 0x202;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::exception);
        // A stack that is no address is the guest's own matter until it uses it.
        guest = {};
        guest.rip = guest.rcx = code_at;
        guest.rsp = place;
        guest.rflags = guest.r11 = 0x202;
        CHECK(call::restricted_enter(0));
        CHECK(state().reason == abi::ExitReason::syscall && guest.rsp == place && guest.rbx == 1);
        guest.fs_base = place;
        CHECK_ERROR(call::restricted_enter(0), bad_argument);
        guest.fs_base = 0;
        guest.gs_base = place;
        CHECK_ERROR(call::restricted_enter(0), bad_argument);
    }
    CHECK(call::restricted_attach(abi::no_handle));
}

// The guest's own code marks itself; what asks without the mark is native code that the guest was let into.
KERNEL_USER_TEST(a_guest_that_is_moved_under_the_check_stays_in_its_half) {
    constexpr unsigned rounds = 20'000;
    const native::Owned space = make_guest(guest_marked, guest_marked_end);
    REQUIRE(space);
    abi::GuestRegisters& guest = state().registers;
    guest = {};
    Racer racer{&guest.rip};
    // One on each of two processors: the one that this thread is not on races.
    native::Thread* threads[2] = {};
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(2, figures().cpu_count); ++i) {
        threads[i] = native::Thread::create(Racer::run, &racer).value_or(nullptr);
        REQUIRE(threads[i] && call::thread_choose(threads[i]->handle(), 1ull << i));
    }
    std::uint64_t entered = 0, escaped = 0;
    for (unsigned i = 0; i < rounds && escaped == 0; ++i) {
        guest.rbx = 0;
        guest.rip = guest.rcx = code_at;
        guest.rflags = guest.r11 = 0x202;
        guest.rax = 1;
        guest.r15 = code_at;
        if (!call::restricted_enter(0) || state().reason != abi::ExitReason::syscall) continue;
        ++entered;
        escaped += guest.rbx != 1;
    }
    racer.over = true;
    for (native::Thread* const thread : threads)
        if (thread) thread->join();
    CHECK(escaped == 0);
    CHECK(entered > 0);
    CHECK(call::restricted_attach(abi::no_handle));
}
