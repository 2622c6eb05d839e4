#include "kernel/call/dispatch.hpp"

#include <array>

#include "kernel/call/arguments.hpp"
#include "kernel/call/calls.hpp"

namespace kernel {

namespace {

using namespace argument;
namespace right = abi::right;

constexpr std::size_t call_limit = 128;
constexpr std::uint64_t number_ipc_call = 45;
constexpr std::uint64_t number_ipc_receive = 46;
constexpr std::uint64_t number_ipc_reply = 47;
constexpr std::uint64_t number_ipc_reply_receive = 48;

constexpr std::array<CallEntry, call_limit> make_table() {
    std::array<CallEntry, call_limit> table{};
    table[1] = invoke<call_handle_close, Word>;
    table[2] = invoke<call_handle_duplicate, AnyHandle<right::duplicate>, Word32, Word, OptionalHandle<Lease, right::control>>;
    table[3] = invoke<call_handle_inspect, Word, Pointer<abi::HandleInfo>>;
    table[4] = invoke<call_lease_create, Handle<Quota, right::charge>, OptionalHandle<Lease, right::control>>;
    table[5] = invoke<call_lease_revoke, Handle<Lease, right::control>>;
    table[6] = invoke<call_quota_create, Handle<Quota, right::charge>, Word>;
    table[7] = invoke<call_quota_inspect, Handle<Quota, right::inspect>, Pointer<abi::QuotaInfo>>;
    table[8] = invoke<call_quota_destroy, Handle<Quota, right::control>>;
    table[9] = invoke<call_budget_create, Handle<Quota, right::charge>, Handle<Budget, right::charge>, Pointer<abi::BudgetParameters>>;
    table[10] = invoke<call_budget_configure, Handle<Budget, right::control>, Pointer<abi::BudgetParameters>>;
    table[11] = invoke<call_process_create, Handle<Quota, right::charge>, Handle<Budget, right::charge>>;
    table[12] = invoke<call_process_space, Handle<Process, right::control>>;
    table[13] = invoke<call_process_grant, Handle<Process, right::control>, AnyHandle<right::transfer>, Word32, OptionalHandle<Lease, right::control>>;
    table[14] = invoke<call_process_kill, Handle<Process, right::stop>, Word>;
    table[15] = invoke<call_process_inspect, Handle<Process, right::inspect>, Pointer<abi::ProcessInfo>>;
    table[16] = invoke<call_process_watch, Handle<Process, right::inspect>, Handle<Notification, right::send>, Word>;
    table[17] = invoke<call_process_exit, Word>;
    table[18] = invoke<call_process_set_fixup, Word, Word, Word>;
    table[19] = invoke<call_thread_create, Handle<Process, right::control>, Handle<Budget, right::charge>>;
    table[20] = invoke<call_thread_start, Handle<Thread, right::start>, Word, Word, Word>;
    table[21] = invoke<call_thread_control, Handle<Thread, 0>, Word32>;
    table[22] = invoke<call_thread_kick, Handle<Thread, right::suspend>>;
    table[23] = invoke<call_thread_inspect, Handle<Thread, right::inspect>, Pointer<abi::ThreadInfo>>;
    table[24] = invoke<call_thread_exit>;
    table[25] = invoke<call_thread_yield>;
    table[26] = invoke<call_memory_create, Handle<Quota, right::charge>, Word, Word32>;
    table[27] = invoke<call_memory_slice, Handle<Quota, right::charge>, Handle<Memory, right::duplicate>, Word, Word>;
    table[28] = invoke<call_memory_seal, Handle<Memory, right::write>>;
    table[29] = invoke<call_memory_inspect, Handle<Memory, right::inspect>, Pointer<abi::MemoryInfo>>;
    table[30] = invoke<call_memory_read, Handle<Memory, right::read>, Word, Bytes>;
    table[31] = invoke<call_memory_write, Handle<Memory, right::write>, Word, Bytes>;
    table[32] = invoke<call_memory_resize, Handle<Memory, right::write>, Word>;
    table[33] = invoke<call_space_create, Handle<Quota, right::charge>, Word32>;
    table[34] = invoke<call_space_fork, Handle<Space, right::map>, Handle<Quota, right::charge>>;
    table[35] = invoke<call_space_map, Handle<Space, right::map>, OptionalHandle<Memory, right::map>, Word, Word, Word, Word32>;
    table[36] = invoke<call_space_unmap, Handle<Space, right::map>, Word, Word>;
    table[37] = invoke<call_space_protect, Handle<Space, right::map>, Word, Word, Word32>;
    table[38] = invoke<call_space_move, Handle<Space, right::map>, Word, Word, Word>;
    table[39] = invoke<call_restricted_attach, OptionalHandle<Space, right::map>>;
    table[40] = invoke<call_restricted_enter, Word32>;
    table[41] = invoke<call_vector_state, Word32, Bytes>;
    table[42] = invoke<call_futex_wait, Word, Word32, Word, Word32>;
    table[43] = invoke<call_futex_wake, Word, Word32, Word32, Word, Word32>;
    table[44] = invoke<call_endpoint_create, Handle<Quota, right::charge>>;
    table[49] = invoke<call_notification_create, Handle<Quota, right::charge>>;
    table[50] = invoke<call_notification_signal, Handle<Notification, right::send>, Word>;
    table[51] = invoke<call_notification_wait, Handle<Notification, right::receive>, Word>;
    table[52] = invoke<call_port_create, Handle<Quota, right::charge>>;
    table[53] = invoke<call_port_bind, Handle<Port, right::receive>, AnyHandle<right::bind>, Word>;
    table[54] = invoke<call_port_wait, Handle<Port, right::receive>, Bytes, Word>;
    table[55] = invoke<call_irq_create, Handle<Irq, right::bind | right::duplicate>, Handle<Quota, right::charge>, Word, Word32>;
    table[56] = invoke<call_irq_bind, Handle<Irq, right::bind>, Handle<Notification, right::send>, Word>;
    table[57] = invoke<call_irq_acknowledge, Handle<Irq, right::acknowledge>>;
    table[58] = invoke<call_irq_inspect, Handle<Irq, right::inspect>, Pointer<abi::IrqInfo>>;
    table[59] = invoke<call_device_slice, Handle<Device, right::duplicate>, Handle<Quota, right::charge>, Word, Word>;
    table[60] = invoke<call_device_map, Handle<Device, right::read>, Word, Word32>;
    table[61] = invoke<call_io_port_slice, Handle<IoPort, right::duplicate>, Handle<Quota, right::charge>, Word32, Word32>;
    table[62] = invoke<call_io_port_read, Handle<IoPort, right::read>, Word32, Word32>;
    table[63] = invoke<call_io_port_write, Handle<IoPort, right::write>, Word32, Word32, Word32>;
    table[64] = invoke<call_io_space_map, Handle<IoSpace, right::map>, Handle<Memory, right::write>>;
    table[65] = invoke<call_log_write, Handle<AuditLog, right::write>, Bytes>;
    table[66] = invoke<call_log_read, Handle<AuditLog, right::read>, Word, Bytes>;
    return table;
}

constexpr std::array<CallEntry, call_limit> calls = make_table();

std::int64_t negative(abi::Error error) { return -static_cast<std::int64_t>(error); }

void finish_ipc(arch::Registers& registers, const base::Result<void>& result) {
    registers.rax = static_cast<std::uint64_t>(result ? 0 : negative(result.error()));
}

} // namespace

void dispatch(Thread& caller, arch::Registers& registers) {
    const std::uint64_t number = registers.rax;
    switch (number) {
    case number_ipc_call: return finish_ipc(registers, ipc_call(caller));
    case number_ipc_reply_receive: return finish_ipc(registers, ipc_reply_receive(caller));
    case number_ipc_receive: return finish_ipc(registers, ipc_receive(caller));
    case number_ipc_reply: return finish_ipc(registers, ipc_reply(caller));
    default: break;
    }
    // Masked, so that a mispredicted check reads nothing but the table.
    const CallEntry entry = number < call_limit ? calls[number % call_limit] : nullptr;
    if (!entry) {
        registers.rax = static_cast<std::uint64_t>(negative(abi::Error::unknown_call));
        return;
    }
    const auto result = entry(caller, registers);
    // The registers are the guest's where restricted_enter succeeded.
    if (caller.restricted) return;
    registers.rax = static_cast<std::uint64_t>(result ? 0 : negative(result.error()));
    registers.rdx = result ? *result : 0;
}

} // namespace kernel
