#include "kernel/call/dispatch.hpp"

#include "kernel/call/calls.hpp"
#include "kernel/core/halves.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace arch {
using kernel::personality_half;
}

namespace {

#include "kernel/dispatch_table.inc"

std::uint64_t status(abi::Error error) { return static_cast<std::uint64_t>(-static_cast<std::int64_t>(error)); }

} // namespace

void dispatch(Thread& caller, arch::Registers& registers) {
    const std::uint64_t number = registers.rax;
    if (is_custom_call(number)) {
        const auto result = dispatch_custom(caller, number);
        registers.rax = result ? 0 : status(result.error());
        return;
    }
    const std::uint64_t arguments[6] = {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9};
    const auto result = dispatch(caller, number, arguments);
    // The registers are the guest's where restricted_enter succeeded.
    if (caller.restricted) return;
    registers.rax = result ? 0 : status(result.error());
    registers.rdx = result ? *result : 0;
}

} // namespace kernel
