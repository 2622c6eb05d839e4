// Exceptions of the guest: resolved, or turned into the signal that Linux sends for them (arch/x86: traps and faults).
#include "lib/native/kernel.hpp"
#include "linux/core/lock.hpp"
#include "linux/signal/deliver.hpp"
#include "linux/task/task.hpp"
#include "linux/task/vsyscall.hpp"

#include <cstring>

namespace personality {

namespace {

constexpr std::uint64_t page_fault = 14;
constexpr std::uint64_t error_write = 2, error_fetch = 16;

std::int32_t floating_point_code(bool vector) {
    alignas(64) std::byte state[512] = {};
    (void)native::call::vector_state(0, state);
    std::uint16_t status, control;
    std::uint32_t mxcsr;
    std::memcpy(&control, state, sizeof control);
    std::memcpy(&status, state + 2, sizeof status);
    std::memcpy(&mxcsr, state + 24, sizeof mxcsr);
    const std::uint32_t raised = vector ? mxcsr & ~(mxcsr >> 7) & 0x3f : status & ~control & 0x3fu;
    // invalid, denormal, divide by zero, overflow, underflow, inexact: FPE_FLTINV, UND, DIV, OVF, UND, RES
    if ((raised & 1) != 0)
        return 7;
    if ((raised & 4) != 0)
        return 3;
    if ((raised & 8) != 0)
        return 4;
    if ((raised & 0x12) != 0)
        return 5;
    return (raised & 0x20) != 0 ? 6 : 0;
}

SignalInfo describe(Task& task, std::uint64_t vector) {
    using namespace signal_number;
    SignalInfo info;
    info.code = signal_code::kernel;
    const std::uint64_t rip = task.registers().rip;
    switch (vector) {
    case 0:
        info.number = fpe;
        info.code = signal_code::fpe_intdiv;
        info.fault.address = rip;
        break;
    case 1:
        info.number = trap;
        info.code = signal_code::trap_trace;
        info.fault.address = rip;
        break;
    case 3: info.number = trap; break;
    case 6:
        info.number = ill;
        info.code = signal_code::ill_illopn;
        info.fault.address = rip;
        break;
    case 16: case 19:
        info.number = fpe;
        info.code = floating_point_code(vector == 19);
        info.fault.address = rip;
        break;
    case 17:
        info.number = bus;
        info.code = signal_code::bus_adraln;
        break;
    case 11: case 12: info.number = bus; break;
    default: info.number = segv; break;
    }
    return info;
}

} // namespace

void handle_fault(Task& task) {
    const abi::RestrictedState& state = task.page->restricted;
    task.fault = {state.vector, state.error_code, state.fault_address};
    if (state.vector != page_fault) {
        force_signal(task, describe(task, state.vector));
        return;
    }
    if ((state.error_code & error_fetch) != 0 && emulate_vsyscall(task))
        return;
    const auto access = (state.error_code & error_fetch) != 0   ? MemoryMap::Access::execute
                        : (state.error_code & error_write) != 0 ? MemoryMap::Access::write
                                                                : MemoryMap::Access::read;
    SignalInfo info;
    {
        SandboxLock lock;
        ++task.minor_faults;
        Process& process = task.process();
        // The same fault again and again would be a map that the kernel does not follow: it must not hang the program.
        const bool repeated = task.last_resolved == state.fault_address && task.last_resolved_rip == state.registers.rip && ++task.repeated_faults > 64;
        if (!repeated && process.memory->resolve_fault(state.fault_address, access, process.limits[limit::stack].soft, info)) {
            if (task.last_resolved != state.fault_address || task.last_resolved_rip != state.registers.rip)
                task.repeated_faults = 0;
            task.last_resolved = state.fault_address;
            task.last_resolved_rip = state.registers.rip;
            return;
        }
        if (repeated)
            info = {signal_number::bus, 0, signal_code::bus_adrerr, 0, {}};
        info.fault.address = state.fault_address;
        task.repeated_faults = 0;
    }
    force_signal(task, info);
}

} // namespace personality
