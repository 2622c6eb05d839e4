#include "linux/task/guest_loop.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/thread.hpp"
#include "linux/calls/table.hpp"
#include "linux/core/lock.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/sandbox/processors.hpp"
#include "linux/signal/deliver.hpp"
#include "linux/task/fast_calls.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/vector_state.hpp"

namespace personality {

namespace {

constinit std::uint32_t missing[call_count] = {};

struct Start {
    Task* task;
    bool (*prepare)(Task& task, void* argument);
    void* argument;
};

LinuxResult<std::uint64_t> serve(Task& task, std::uint64_t number) {
    if (number < call_count && call_table[number].handler != nullptr) [[likely]] {
        const abi::GuestRegisters& registers = task.registers();
        return call_table[number].handler(task, {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9});
    }
    if (number < call_count)
        ++missing[number];
    return fail(Errno::ENOSYS);
}

void handle_call(Task& task) {
    abi::GuestRegisters& registers = task.registers();
    const std::uint64_t number = registers.rax;
    task.original_call = number;
    const auto result = serve(task, number);
    if (result) [[likely]] {
        // rt_sigreturn has put another rax there, and gives it.
        registers.rax = *result;
        if (task.attention.load(std::memory_order_relaxed) || task.mask_saved) [[unlikely]]
            deliver_signals(task, {});
        return;
    }
    registers.rax = static_cast<std::uint64_t>(-static_cast<std::int64_t>(result.error()));
    if (result.error() >= Errno::ERESTARTSYS || task.attention.load(std::memory_order_relaxed) || task.mask_saved) [[unlikely]]
        deliver_signals(task, {result.error(), true});
}

void run(Task& task) {
    abi::RestrictedState& state = task.page->restricted;
    state.operation_count = 0;
    for (;;) {
        if (task.attention.load(std::memory_order_seq_cst)) [[unlikely]]
            deliver_signals(task, {});
        auto entered = native::call::restricted_enter(0);
        if (!entered) [[unlikely]] {
            if (entered.error() == abi::Error::no_memory) {
                out_of_memory(task);
                continue;
            }
            // Registers that no guest may have: its own doing (arch_prctl and sigreturn check), and its end.
            end_process(task, signal_number::segv);
            continue;
        }
        switch (state.reason) {
        case abi::ExitReason::syscall: handle_call(task); break;
        case abi::ExitReason::exception: handle_fault(task); break;
        case abi::ExitReason::kick: deliver_signals(task, {}); break;
        case abi::ExitReason::no_memory: out_of_memory(task); break;
        }
    }
}

void task_entry(void* argument) {
    const Start start = *static_cast<Start*>(argument);
    delete static_cast<Start*>(argument);
    Task& task = *start.task;
    {
        SandboxLock lock;
        task.page = native::current_thread().page;
        task.thread = native::current_thread().handle;
        take_inherited_processors(task);
        refresh_fast_calls(task);
    }
    if (start.prepare != nullptr && !start.prepare(task, start.argument))
        exit_task(task);
    if (!native::call::restricted_attach(task.process().memory->space()))
        exit_task(task);
    task.registers() = task.initial;
    restore_vector_state(task);
    run(task);
}

} // namespace

LinuxResult<void> start_task(Task& task, bool (*prepare)(Task& task, void* argument), void* argument) {
    auto* start = new (std::nothrow) Start{&task, prepare, argument};
    if (start == nullptr)
        return fail(Errno::EAGAIN);
    task.retain();
    native::ThreadOptions options;
    options.budget = configuration().budget;
    options.user = &task;
    if (!native::start_thread(&task_entry, start, options)) {
        task.release();
        delete start;
        return fail(Errno::EAGAIN);
    }
    return {};
}

std::uint32_t missing_calls(unsigned number) { return number < call_count ? missing[number] : 0; }

} // namespace personality
