#include "kernel/call/dispatch.hpp"

#include "abi/kernel_calls.hpp"
#include "kernel/call/calls.hpp"
#include "kernel/call/short_ways.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/core/index_within.hpp"
#include "kernel/restricted/restricted.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace arch {
using kernel::personality_half;
}

namespace {

#include "kernel/dispatch_table.inc"

// Gives what rax is to be. What the caller has no authority for is put down; what was only not possible is not.
[[gnu::cold, gnu::noinline]] std::uint64_t refused(Thread& caller, std::uint64_t number, abi::Error error) {
    if (error == abi::Error::bad_handle || error == abi::Error::wrong_kind || error == abi::Error::missing_right || error == abi::Error::revoked)
        Audit::denied(caller.process().audit_account(), caller.process().number(), number, error);
    return static_cast<std::uint64_t>(-static_cast<std::int64_t>(error));
}

// entry.S knows them by number.
constexpr bool custom_calls_are_those_from_45_to_48() {
    for (std::uint64_t number = 0; number < decoders::table_size; ++number)
        if (is_custom_call(number) != (number >= 45 && number <= 48)) return false;
    return true;
}
static_assert(custom_calls_are_those_from_45_to_48());

} // namespace

std::uint64_t dispatch_plain(Thread& caller, std::uint64_t number, arch::Registers& registers) {
    const auto result = dispatch(caller, number, registers);
    registers.rdx = result ? *result : 0;
    return result ? 0 : refused(caller, number, result.error());
}

void dispatch(Thread& caller, arch::Registers& registers) {
    const std::uint64_t number = registers.rax;
    // First, for every Linux call comes by here. Flags of more than 32 bits are left to the decoder, which refuses them.
    if (number == static_cast<std::uint64_t>(abi::KernelCall::restricted_enter) && registers.rdi >> 32 == 0) [[likely]] {
        const auto entered = enter_restricted(caller, static_cast<std::uint32_t>(registers.rdi));
        // The registers are the guest's now.
        if (caller.restricted()) return;
        registers.rax = entered ? 0 : refused(caller, number, entered.error());
        registers.rdx = 0;
        return;
    }
    if (is_custom_call(number)) {
        auto result = dispatch_custom(caller, number);
        if (result) result = Endpoint::end_exchange(caller);
        registers.rax = result ? 0 : refused(caller, number, result.error());
        return;
    }
    registers.rax = dispatch_plain(caller, number, registers);
}

} // namespace kernel
