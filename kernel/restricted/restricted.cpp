#include "kernel/restricted/restricted.hpp"

#include "abi/start.hpp"
#include "kernel/thread/lookup.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/arch/segments.hpp"
#include "kernel/space/memory.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/vector_state.hpp"
#include "kernel/thread/scheduler.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::uint32_t vector_general_protection = 13;
constexpr std::uint32_t vector_page_fault = 14;
constexpr std::uint64_t fetch_by_user = 0x15; // as told of every address outside the halves (entry.cpp)

base::Result<void> do_operation(Thread& thread, const abi::MapOperation& operation) {
    Space& space = *thread.guest();
    switch (operation.kind) {
    case abi::MapOperation::Kind::map: {
        auto memory = TRY(lookup_optional<Memory>(thread, operation.memory, abi::right::map));
        return space.map(memory, operation.address, operation.offset, operation.length, operation.flags);
    }
    case abi::MapOperation::Kind::unmap: return space.unmap(operation.address, operation.length);
    case abi::MapOperation::Kind::protect: return space.protect(operation.address, operation.length, operation.flags);
    }
    return std::unexpected(abi::Error::bad_argument);
}

// Other threads of the process may write the page at any time; a field is copied before it is looked at. Not inlined: a round trip without operations is the usual one, and
// saves no registers for them.
[[gnu::noinline]] base::Result<void> do_operations(Thread& thread, abi::RestrictedState& page, std::uint32_t count) {
    if (count > abi::map_operations) return std::unexpected(abi::Error::bad_argument);
    for (std::uint32_t i = 0; i < count; ++i) {
        abi::MapOperation operation;
        __builtin_memcpy(&operation, const_cast<const abi::MapOperation*>(&page.operations[i]), sizeof(operation));
        asm volatile("" : "+m"(operation));
        if (auto done = do_operation(thread, operation); !done) {
            page.operation_error = -static_cast<std::int32_t>(done.error());
            return done;
        }
        page.operations_done = i + 1;
    }
    page.operation_count = 0;
    return {};
}

// For the twin: widens the gap between a check and what it was for.
std::uint64_t fetch_late(const volatile std::uint64_t& place) {
    for (int i = 0; i < 20'000; ++i) arch::relax();
    return place;
}

bool in_guest_half(std::uint64_t address) { return address < abi::guest_end; }

// The frame that entries save to, and by it whether a guest runs, changes together with the root. Entered in the general way once, the guest may be entered by entry.S.
void begin_guest(Thread& thread) {
    thread.task().guest = &thread.page().restricted.registers;
    thread.task().use_guest_frame();
    arch::load_root(arch::this_cpu().guest_root);
}

// The personality finds itself behind its restricted_enter, which kept rsp and rbp for it.
void end_guest(Thread& thread, abi::ExitReason reason, std::uint32_t vector, std::uint64_t error_code, std::uint64_t fault_address) {
    abi::RestrictedState& page = thread.page().restricted;
    page.reason = reason;
    page.vector = vector;
    page.error_code = error_code;
    page.fault_address = fault_address;
    thread.task().use_native_frame();
    UserRegisters& native = thread.registers();
    const UserRegisters kept = native;
    native = {};
    native.vector = arch::system_call_vector;
    native.rip = native.rcx = kept.rip;
    native.rflags = native.r11 = kept.rflags;
    native.rsp = kept.rsp;
    native.rbp = kept.rbp;
    native.cs = arch::user_code;
    native.ss = arch::user_data;
    arch::load_root(arch::this_cpu().native_root);
}

} // namespace

base::Result<void> enter_restricted(Thread& thread, std::uint32_t flags) {
    if (!thread.guest()) return std::unexpected(abi::Error::bad_state);
    if (flags & ~enter_reset_vector) return std::unexpected(abi::Error::bad_argument);
    abi::RestrictedState& page = thread.page().restricted;
    const std::uint32_t operations = __atomic_load_n(&page.operation_count, __ATOMIC_RELAXED);
    page.operations_done = 0;
    page.operation_error = 0;
    if (operations != 0) TRY(do_operations(thread, page, operations));

    // Other threads of the process may write the page at any time: each field is read once. What is checked is read here, the rest straight into the frame.
    const volatile abi::GuestRegisters& guest = page.registers;
    const std::uint64_t fs_base = guest.fs_base, gs_base = guest.gs_base, rip = guest.rip;
    // A base outside the guest half would fault at the load, or let the guest name kernel addresses.
    if (!in_guest_half(fs_base) || !in_guest_half(gs_base)) return std::unexpected(abi::Error::bad_argument);

    if (!thread.vector_area || (flags & enter_reset_vector)) TRY(prepare_vector_state(thread, flags & enter_reset_vector));

    if (thread.take_kick()) {
        page.reason = abi::ExitReason::kick;
        return {};
    }
    if (!in_guest_half(rip)) {
        // What the processor would report for the jump there: a fetch fault in the upper half, #GP for no address at all.
        const bool canonical = rip >= 0xffff'8000'0000'0000;
        page.reason = abi::ExitReason::exception;
        page.vector = canonical ? vector_page_fault : vector_general_protection;
        page.error_code = canonical ? fetch_by_user : 0;
        page.fault_address = canonical ? rip : 0;
        return {};
    }

    begin_guest(thread);
    UserRegisters& registers = thread.registers();
    registers.rax = guest.rax;
    registers.rbx = guest.rbx;
    registers.rcx = guest.rcx;
    registers.rdx = guest.rdx;
    registers.rsi = guest.rsi;
    registers.rdi = guest.rdi;
    registers.rbp = guest.rbp;
    registers.rsp = guest.rsp;
    registers.r8 = guest.r8;
    registers.r9 = guest.r9;
    registers.r10 = guest.r10;
    registers.r11 = guest.r11;
    registers.r12 = guest.r12;
    registers.r13 = guest.r13;
    registers.r14 = guest.r14;
    registers.r15 = guest.r15;
    registers.rip = base::weakened(base::Weakness::fetch_once) ? fetch_late(guest.rip) : rip;
    registers.rflags = base::weakened(base::Weakness::guest_privilege) ? guest.rflags | guest_flags(0) : guest_flags(guest.rflags);
    registers.cs = arch::user_code;
    registers.ss = arch::user_data;
    arch::EntryState& state = thread.task();
    if (fs_base != state.guest_fs_base) {
        arch::set_fs_base(fs_base);
        state.guest_fs_base = fs_base;
    }
    if (gs_base != state.guest_gs_base) {
        arch::set_user_gs_base(gs_base);
        state.guest_gs_base = gs_base;
    }
    return {};
}

void leave_restricted(Thread& thread, abi::ExitReason reason, std::uint32_t vector, std::uint64_t error_code, std::uint64_t fault_address) {
    UserRegisters& registers = thread.registers();
    abi::RestrictedState& page = thread.page().restricted;
    abi::GuestRegisters& guest = page.registers;
    guest.rax = registers.rax;
    guest.rbx = registers.rbx;
    guest.rcx = registers.rcx;
    guest.rdx = registers.rdx;
    guest.rsi = registers.rsi;
    guest.rdi = registers.rdi;
    guest.rbp = registers.rbp;
    guest.rsp = registers.rsp;
    guest.r8 = registers.r8;
    guest.r9 = registers.r9;
    guest.r10 = registers.r10;
    guest.r11 = registers.r11;
    guest.r12 = registers.r12;
    guest.r13 = registers.r13;
    guest.r14 = registers.r14;
    guest.r15 = registers.r15;
    guest.rip = registers.rip;
    guest.rflags = registers.rflags;
    // A guest may change them itself.
    guest.fs_base = thread.task().guest_fs_base = arch::fs_base();
    guest.gs_base = thread.task().guest_gs_base = arch::user_gs_base();
    end_guest(thread, reason, vector, error_code, fault_address);
}

} // namespace kernel
