// Where user mode comes into the kernel: system calls and faults, of native code and of guests. The thread's own bit `restricted` decides which of the two it is; not the
// instruction pointer, not the page tables, not anything that user mode can write.
#include "kernel/call/dispatch.hpp"

#include <cstddef>

#include "abi/kernel_calls.hpp"
#include "abi/thread_page.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/core/log.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/restricted/fast_call.hpp"
#include "kernel/restricted/restricted.hpp"
#include "kernel/thread/scheduler.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t vector_general_protection = 13;
constexpr std::uint64_t vector_page_fault = 14;
constexpr std::uint64_t error_present = 1u << 0;
constexpr std::uint64_t error_write = 1u << 1;
constexpr std::uint64_t error_fetch = 1u << 4;

// What stands between the thread and user mode, with interrupts off from here to the return: its end, its suspension, a better thread, and for a guest a kick.
inline void settle(Thread& thread) {
    for (;;) {
        const bool attention = thread.attention() != 0;
        if (attention) thread.before_user();
        if (sched::is_switch_due() && sched::switch_if_due(true)) continue;
        if (attention && thread.restricted() && thread.take_kick()) leave_restricted(thread, abi::ExitReason::kick);
        return;
    }
}

// The same where there is nothing as a rule, of a call that ends with `status`.
[[gnu::noinline, gnu::cold]] std::uint64_t settle_late(Thread& thread, std::uint64_t status) {
    settle(thread);
    return status;
}
[[gnu::always_inline]] inline std::uint64_t settled(Thread& thread, std::uint64_t status) {
    if (arch::holds(thread.task().attention, 0u) && !sched::is_switch_due()) [[likely]] return status;
    return settle_late(thread, status);
}

// SYSRET faults in ring 0 on a non-canonical rip.
bool may_use_sysret(const Thread& thread, const UserRegisters& registers) {
    const Half half = thread.restricted() ? guest_half() : personality_half();
    return half.contains(registers.rip, 1) && arch::returns_by_sysret(registers);
}

bool is_native(const Thread& thread, const UserRegisters& registers) {
    if (base::weakened(base::Weakness::restricted_bit)) return personality_half().contains(registers.rip, 1);
    return !thread.restricted();
}

// A fault of native code that nothing resolves ends its process. Not inlined: what it logs would give every call a frame with a guard.
[[gnu::noinline, gnu::cold]] void end_faulted(Thread& thread, const UserRegisters& registers, std::uint64_t address) {
    log_at_most("process %u: fault %u (error %x) at %x, address %x", thread.process().number(), registers.vector, registers.error, registers.rip, address);
    thread.process().end(abi::EndReason::fault, registers.vector, address, registers.rip);
}

// What user mode is told of a page fault. Outside its halves it learns nothing of what is mapped there: each fault looks like one over a page that is.
std::uint64_t told_error(const Thread& thread, std::uint64_t address, std::uint64_t error) {
    const bool own = guest_half().contains(address, 1) || (!thread.restricted() && personality_half().contains(address, 1));
    return own || base::weakened(base::Weakness::fault_code) ? error : error | error_present;
}

inline bool resolve_page_fault(Thread& thread, std::uint64_t address, std::uint64_t error, abi::Error& failure) {
    const abi::Protection access = error & error_write   ? abi::protection::write
                                   : error & error_fetch ? abi::protection::execute
                                                         : abi::protection::read;
    // No reference is needed: both stay while the thread runs, which attaches another guest by itself alone.
    Space* space = nullptr;
    if (guest_half().contains(address, 1)) {
        // The personality touches its guest's memory directly, but never executes there.
        if (thread.restricted() || access != abi::protection::execute) space = thread.guest();
    } else if (personality_half().contains(address, 1) && !thread.restricted()) {
        space = &thread.process().running_space();
    }
    failure = abi::Error::bad_pointer;
    if (!space) return false;
    const auto resolved = space->resolve(address, access);
    if (!resolved) failure = resolved.error();
    if (resolved) arch::count_page_fault();
    return resolved.has_value();
}

// What stays of an exception that was no page to be brought in.
[[gnu::noinline]] void handle_unresolved(Thread& thread, arch::Registers& registers, std::uint64_t address, abi::Error failure) {
    const bool page_fault = registers.vector == vector_page_fault;
    if (page_fault) registers.error = told_error(thread, address, registers.error);
    if (thread.restricted()) {
        const bool exhausted = page_fault && failure == abi::Error::no_memory;
        leave_restricted(thread, exhausted ? abi::ExitReason::no_memory : abi::ExitReason::exception,
                         static_cast<std::uint32_t>(registers.vector), registers.error, address);
        settle(thread);
        return;
    }
    // The personality's copy routines expect faults on guest addresses: #PF in the guest half, #GP for what is no address at all.
    const Process::Fixup fixup = thread.process().fixup();
    const bool in_routine = registers.rip >= fixup.begin && registers.rip < fixup.end;
    if (in_routine && (registers.vector == vector_general_protection || (page_fault && !personality_half().contains(address, 1)))) {
        registers.rip = fixup.landing;
        registers.rax = address;
        registers.rdx = registers.error;
    } else {
        end_faulted(thread, registers, address);
    }
    settle(thread);
}

} // namespace

// entry.S knows these by number.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(Task, top) == 0); // its EntryState is where arch::Cpu::current points to
#pragma clang diagnostic pop
static_assert((guest_flags(~std::uint64_t{0}) & ~arch::not_by_sysret) == (0x240cd5 | 0x202) && guest_flags(0) == 0x202);
static_assert(static_cast<std::uint64_t>(abi::KernelCall::restricted_enter) == 40 && static_cast<std::uint64_t>(abi::KernelCall::ipc_call) == 45 &&
              static_cast<std::uint64_t>(abi::KernelCall::ipc_reply_receive) == 48);
static_assert(offsetof(abi::GuestRegisters, rsp) == 56 && offsetof(abi::GuestRegisters, r15) == 120 && offsetof(abi::GuestRegisters, rip) == 128 &&
              offsetof(abi::GuestRegisters, rflags) == 136 && offsetof(abi::GuestRegisters, fs_base) == 144 && offsetof(abi::GuestRegisters, gs_base) == 152);
static_assert(offsetof(abi::RestrictedState, registers) == 0 && offsetof(abi::RestrictedState, reason) == 160 && offsetof(abi::RestrictedState, operation_count) == 184 &&
              static_cast<std::uint32_t>(abi::ExitReason::syscall) == 1);
static_assert(offsetof(abi::ThreadPage, fast_calls) - offsetof(abi::ThreadPage, restricted) == 520 && offsetof(abi::FastCalls, index) == 0 &&
              offsetof(abi::FastCalls, values) == 512 && abi::fast_calls == 512 && abi::constant_values == 16 &&
              static_cast<unsigned>(abi::FastCall::yield) == 0x80);

// From entry.S: a thread that handed the processor over runs again, because its wait ended in another way.
extern "C" bool kernel_exchange_ends(arch::Registers* registers) {
    sched::after_switch();
    Thread& thread = sched::current_thread();
    const bool called = thread.exchange().kind == Exchange::Kind::call;
    const auto result = Endpoint::end_exchange(thread);
    // Not saved at the entry, for it was that; a message puts its badge there.
    if (called || !result) registers->rbx = abi::never;
    registers->rax = result ? 0 : static_cast<std::uint64_t>(-static_cast<std::int64_t>(result.error()));
    settle(thread);
    return may_use_sysret(thread, thread.registers());
}

// From entry.S: a call of native code that is none of those with a convention of their own. Gives rax, and rdx in the frame, of which no more is good than the arguments.
extern "C" std::uint64_t kernel_plain_call(std::uint64_t number, arch::Registers* registers) {
    Thread& thread = sched::current_thread();
    return settled(thread, dispatch_plain(thread, number, *registers));
}

// From entry.S. True where the return may be by SYSRET.
extern "C" bool kernel_system_call(arch::Registers* registers) {
    Thread& thread = sched::current_thread();
    if (!is_native(thread, *registers)) {
        if (!serve_fast_call(thread, *registers)) leave_restricted(thread, abi::ExitReason::syscall);
    } else if (!personality_half().contains(registers->rip, 1) && !base::weakened(base::Weakness::native_call_place)) {
        // Code of the guest half with native rights: the page tables forbid it, and this does where they cannot (a fused space).
        end_faulted(thread, *registers, registers->rip);
    } else {
        dispatch(thread, *registers);
    }
    settle(thread);
    return may_use_sysret(thread, thread.registers());
}

void handle_user_exception(arch::Registers& registers, std::uint64_t fault_address) {
    Thread& thread = sched::current_thread();
    const bool page_fault = registers.vector == vector_page_fault;
    abi::Error failure = abi::Error::bad_pointer;
    if (page_fault && resolve_page_fault(thread, fault_address, registers.error, failure)) [[likely]] {
        settle(thread);
        return;
    }
    handle_unresolved(thread, registers, page_fault ? fault_address : 0, failure);
}

void before_return_to_user() { settle(sched::current_thread()); }

} // namespace kernel
