#include "linux/task/vsyscall.hpp"

#include "linux/calls/table.hpp"
#include "linux/task/task.hpp"

namespace personality {

bool emulate_vsyscall(Task& task) {
    abi::GuestRegisters& registers = task.registers();
    constexpr std::uint64_t page = 0xffff'ffff'ff60'0000;
    constexpr unsigned gettimeofday = 96, time = 201, getcpu = 309;
    unsigned number = 0;
    switch (registers.rip - page) {
    case 0: number = gettimeofday; break;
    case 0x400: number = time; break;
    case 0x800: number = getcpu; break;
    default: return false;
    }
    const auto back = UserPtr<std::uint64_t>(registers.rsp).read();
    if (!back || call_table[number].handler == nullptr)
        return false;
    const auto result = call_table[number].handler(task, {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9});
    registers.rax = result ? *result : static_cast<std::uint64_t>(-static_cast<std::int64_t>(result.error()));
    registers.rip = *back;
    registers.rsp += sizeof *back;
    return true;
}

} // namespace personality
