// The frame of a signal handler on the guest's stack: struct rt_sigframe of x86_64, as debuggers, unwinders and sigreturn know it.
#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/core/lock.hpp"
#include "linux/memory/user_memory.hpp"
#include "linux/signal/deliver.hpp"
#include "linux/task/task.hpp"
#include "linux/task/vector_state.hpp"

#include <cstring>

namespace personality {

namespace {

struct SignalContext {
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error, vector, old_mask, fault_address;
    std::uint64_t vector_state; // address, 0: none
    std::uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

struct GuestStack {
    std::uint64_t address;
    std::int32_t flags;
    std::int32_t padding;
    std::uint64_t size;
};

struct UserContext {
    std::uint64_t flags;
    std::uint64_t link;
    GuestStack stack;
    SignalContext registers;
    SignalSet mask;
};
static_assert(sizeof(UserContext) == 304);

struct Frame {
    std::uint64_t restorer;
    UserContext context;
    std::byte info[signal_info_bytes];
};
static_assert(sizeof(Frame) == 440);

// struct _fpx_sw_bytes, in the part of the legacy region that the processor leaves to software.
struct SoftwareBytes {
    std::uint32_t magic;
    std::uint32_t extended_size;
    std::uint64_t features;
    std::uint32_t state_size;
    std::uint32_t padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);
constexpr std::size_t software_offset = 464;
constexpr std::size_t legacy_bytes = 512;
constexpr std::uint32_t magic_first = 0x46505853, magic_last = 0x46505845;

constexpr std::uint64_t context_flags = 7; // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
constexpr std::uint64_t red_zone = 128;
constexpr std::uint64_t flag_trap = 0x100, flag_direction = 0x400, flag_resume = 0x10000;
constexpr std::int32_t stack_on = 1, stack_disabled = 2;
constexpr std::int32_t stack_autodisarm = static_cast<std::int32_t>(0x80000000u);

std::uint64_t enabled_features() {
    std::uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (std::uint64_t{high} << 32) | low;
}

bool on_alternate_stack(const Task& task, std::uint64_t stack) {
    const auto& alternate = task.alternate_stack;
    return (alternate.flags & stack_autodisarm) == 0 && stack > alternate.address && stack - alternate.address <= alternate.size;
}

SignalContext save_registers(const Task& task, const abi::GuestRegisters& r, SignalSet mask) {
    SignalContext context{};
    context.r8 = r.r8, context.r9 = r.r9, context.r10 = r.r10, context.r11 = r.r11, context.r12 = r.r12, context.r13 = r.r13, context.r14 = r.r14;
    context.r15 = r.r15, context.rdi = r.rdi, context.rsi = r.rsi, context.rbp = r.rbp, context.rbx = r.rbx, context.rdx = r.rdx, context.rax = r.rax;
    context.rcx = r.rcx, context.rsp = r.rsp, context.rip = r.rip, context.flags = r.rflags;
    context.cs = 0x33;
    context.ss = 0x2b;
    context.error = task.fault.error;
    context.vector = task.fault.vector;
    context.old_mask = mask;
    context.fault_address = task.fault.address;
    return context;
}

} // namespace

LinuxResult<void> push_signal_frame(Task& task, const SignalAction& action, const SignalInfo& info, SignalSet old_mask) {
    abi::GuestRegisters& registers = task.registers();
    if ((action.flags & action_flag::restorer) == 0)
        return fail(Errno::EFAULT);
    // The kernel fills what it says; no more is copied out.
    [[clang::uninitialized]] alignas(64) std::byte state[vector_state_limit];
    const auto used = native::call::vector_state(0, std::span(state).first(vector_state_limit - sizeof magic_last));
    if (!used)
        return fail(Errno::EFAULT);
    std::size_t state_bytes = *used;
    if (state_bytes > legacy_bytes) {
        const SoftwareBytes software{magic_first, static_cast<std::uint32_t>(state_bytes + sizeof magic_last), enabled_features(),
                                     static_cast<std::uint32_t>(state_bytes), {}};
        std::memcpy(state + software_offset, &software, sizeof software);
        std::memcpy(state + state_bytes, &magic_last, sizeof magic_last);
        state_bytes += sizeof magic_last;
    }

    std::uint64_t stack = registers.rsp - red_zone;
    const bool nested = on_alternate_stack(task, registers.rsp);
    const bool switches = (action.flags & action_flag::on_stack) != 0 && (task.alternate_stack.flags & stack_disabled) == 0 && !nested;
    if (switches)
        stack = task.alternate_stack.address + task.alternate_stack.size;
    const std::uint64_t state_address = (stack - state_bytes) & ~std::uint64_t{63};
    const std::uint64_t frame_address = ((state_address - sizeof(Frame)) & ~std::uint64_t{15}) - 8;
    if (frame_address >= abi::guest_end)
        return fail(Errno::EFAULT);
    // A handler that overflows its alternate stack would write over what lies below it.
    if ((switches || nested) && frame_address < task.alternate_stack.address)
        return fail(Errno::EFAULT);

    Frame frame{};
    frame.restorer = action.restorer;
    frame.context.flags = context_flags;
    frame.context.stack = {task.alternate_stack.address, task.alternate_stack.flags, 0, task.alternate_stack.size};
    frame.context.registers = save_registers(task, registers, old_mask);
    frame.context.registers.vector_state = state_address;
    frame.context.mask = old_mask;
    std::memcpy(frame.info, &info, sizeof info);
    TRY(copy_out(state_address, {state, state_bytes}));
    TRY(UserPtr<Frame>(frame_address).write(frame));
    if ((task.alternate_stack.flags & stack_autodisarm) != 0)
        task.alternate_stack = {0, 0, stack_disabled};

    registers.rdi = static_cast<std::uint64_t>(info.number);
    registers.rsi = frame_address + offsetof(Frame, info);
    registers.rdx = frame_address + offsetof(Frame, context);
    registers.rax = 0;
    registers.rsp = frame_address;
    registers.rip = action.handler;
    registers.rflags &= ~(flag_trap | flag_direction | flag_resume);
    reset_vector_state(task);
    return {};
}

namespace {

LinuxResult<void> restore_vector(Task& task, std::uint64_t address) {
    if (address == 0) {
        reset_vector_state(task);
        return {};
    }
    [[clang::uninitialized]] alignas(64) std::byte state[vector_state_limit]; // no more goes to the kernel than was copied in
    TRY(copy_in(std::span(state).first(legacy_bytes), address));
    SoftwareBytes software;
    std::memcpy(&software, state + software_offset, sizeof software);
    std::size_t bytes = legacy_bytes;
    if (software.magic == magic_first && software.state_size > legacy_bytes && software.state_size <= sizeof state - sizeof magic_last &&
        software.extended_size == software.state_size + sizeof magic_last) {
        TRY(copy_in(std::span(state).subspan(legacy_bytes, software.extended_size - legacy_bytes), address + legacy_bytes));
        std::uint32_t last;
        std::memcpy(&last, state + software.state_size, sizeof last);
        if (last == magic_last)
            bytes = software.state_size;
    }
    // The kernel checks the contents: a program may have put anything there.
    if (!native::call::vector_state(1, {state, bytes}))
        return fail(Errno::EFAULT);
    return {};
}

} // namespace

LinuxResult<void> pop_signal_frame(Task& task) {
    abi::GuestRegisters& registers = task.registers();
    const std::uint64_t frame_address = registers.rsp - sizeof(std::uint64_t);
    const UserContext context = TRY(UserPtr<UserContext>(frame_address + offsetof(Frame, context)).read());
    TRY(restore_vector(task, context.registers.vector_state));
    const SignalContext& r = context.registers;
    registers.r8 = r.r8, registers.r9 = r.r9, registers.r10 = r.r10, registers.r11 = r.r11, registers.r12 = r.r12, registers.r13 = r.r13;
    registers.r14 = r.r14, registers.r15 = r.r15, registers.rdi = r.rdi, registers.rsi = r.rsi, registers.rbp = r.rbp, registers.rbx = r.rbx;
    registers.rdx = r.rdx, registers.rax = r.rax, registers.rcx = r.rcx, registers.rsp = r.rsp, registers.rip = r.rip, registers.rflags = r.flags;
    // The flags and the address are the kernel's to check when the guest is entered.
    if ((context.stack.flags & ~(stack_on | stack_disabled | stack_autodisarm)) == 0)
        task.alternate_stack = {context.stack.address, context.stack.size, context.stack.flags & ~stack_on};
    SandboxLock lock;
    task.mask = context.mask & ~unblockable;
    task.attention.store(true, std::memory_order_relaxed); // what was blocked may be deliverable now
    return {};
}

} // namespace personality
