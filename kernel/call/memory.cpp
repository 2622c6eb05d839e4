// Calls on Memory and spaces, restricted mode and futexes.
#include <algorithm>

#include "kernel/arch/relax.hpp"
#include "kernel/call/calls.hpp"
#include "kernel/thread/futex.hpp"
#include "kernel/space/memory.hpp"
#include "kernel/space/space.hpp"
#include "kernel/restricted/restricted.hpp"
#include "kernel/thread/vector_state.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// Copies pass through a buffer on the kernel's stack: the two sides may overlap, or be gone half-way.
constexpr std::size_t copy_step = 1024;
constexpr std::uint64_t copied_between_pauses = 16 * copy_step;

// Between two steps of a copy, for its length is the caller's choice. Others run: the Memory may not be the caller's any more, or the caller is to end.
base::Result<void> pause(Thread& caller, const Held<Memory>& memory, std::uint64_t done) {
    if (done % copied_between_pauses != 0 || base::weakened(base::Weakness::unbounded_step)) return {};
    preemption_point();
    if (caller.stopping()) return std::unexpected(abi::Error::canceled);
    if (!memory.valid()) return std::unexpected(abi::Error::revoked);
    return {};
}

// In a twin alone: widens the gap between a look at a lease and what is done by it.
void linger() {
    for (int i = 0; i < 500; ++i) arch::relax();
}

constexpr std::uint32_t futex_guest = 1u << 0;
constexpr std::uint32_t futex_shared = 1u << 1;

// The space that a futex address belongs to. Errors: bad_argument, bad_pointer (no guest attached).
base::Result<base::Ref<Space>> futex_space(Thread& caller, std::uint32_t flags) {
    if (flags & ~(futex_guest | futex_shared)) return std::unexpected(abi::Error::bad_argument);
    if (!(flags & futex_guest)) return caller.process().space();
    if (!caller.guest()) return std::unexpected(abi::Error::bad_pointer);
    return base::Ref<Space>(*caller.guest());
}

// Native code alone: what a guest may execute is its own matter.
void record_execute(Thread& caller, const Space& space, const Memory* memory, std::uint64_t address) {
    if (space.is_guest()) return;
    Audit::record(caller.process().audit_account(),
                  {.operation = abi::AuditOperation::execute,
                   .process = caller.process().number(),
                   .kind = memory ? memory->kind() : abi::ObjectKind::none,
                   .object = memory ? memory->number() : 0,
                   .other = space.number(),
                   .word = address},
                  caller.take_payment());
}

// Before a call that gives `protection` in `space`. Errors: canceled.
base::Result<void> pay_for_execute(Thread& caller, const Space& space, std::uint32_t protection) {
    if ((protection & abi::protection::execute) == 0 || space.is_guest()) return {};
    return caller.pay_for_record();
}

} // namespace

base::Result<std::uint64_t> call_memory_create(Thread& caller, Held<Quota> quota, std::uint64_t size, std::uint32_t flags) {
    return give(caller, TRY(Memory::create(*quota, size, flags, quota.hold)), Memory::rights);
}

base::Result<std::uint64_t> call_memory_slice(Thread& caller, Held<Quota> quota, Held<Memory> memory, std::uint64_t offset, std::uint64_t size) {
    const abi::Rights rights = memory.rights & ~(abi::right::write | abi::right::control);
    const base::Ref<Memory> whole = memory.object;
    if (whole->payer() != &caller.process().quota()) TRY(caller.pay_for_record());
    auto slice = TRY(Memory::create_slice(*quota, std::move(memory.object), offset, size));
    const auto handle = give(caller, std::move(slice), rights, memory.hold);
    if (handle) record_use_of_foreign(caller, abi::KernelCall::memory_slice, *whole);
    return handle;
}

base::Result<std::uint64_t> call_memory_seal(Thread& caller, Held<Memory> memory) {
    TRY(memory->seal(memory.hold));
    record_use_of_foreign(caller, abi::KernelCall::memory_seal, *memory);
    return 0;
}

base::Result<std::uint64_t> call_memory_inspect(Thread& caller, Held<Memory> memory, UserPointer<abi::MemoryInfo> info) {
    abi::MemoryInfo result{};
    memory->inspect(result);
    TRY(info.write(caller, result));
    return 0;
}

base::Result<std::uint64_t> call_memory_read(Thread& caller, Held<Memory> memory, std::uint64_t offset, UserBytes buffer) {
    std::byte step[copy_step];
    if (offset > memory->size() || buffer.length > memory->size() - offset) return std::unexpected(abi::Error::bad_argument);
    for (std::uint64_t done = 0; done < buffer.length;) {
        const std::size_t part = std::min<std::uint64_t>(buffer.length - done, copy_step);
        // The copies may have slept.
        if (!memory.valid()) return std::unexpected(abi::Error::revoked);
        TRY(memory->read(offset + done, {step, part}));
        TRY(copy_to_user(caller, buffer.address + done, step, part));
        done += part;
        TRY(pause(caller, memory, done));
    }
    return 0;
}

base::Result<std::uint64_t> call_memory_write(Thread& caller, Held<Memory> memory, std::uint64_t offset, UserBytes buffer) {
    std::byte step[copy_step];
    if (offset > memory->size() || buffer.length > memory->size() - offset) return std::unexpected(abi::Error::bad_argument);
    if (memory->sealed()) return std::unexpected(abi::Error::bad_state);
    for (std::uint64_t done = 0; done < buffer.length;) {
        const std::size_t part = std::min<std::uint64_t>(buffer.length - done, copy_step);
        TRY(copy_from_user(caller, step, buffer.address + done, part));
        if (!memory.valid()) return std::unexpected(abi::Error::revoked); // the copy may have slept
        if (base::weakened(base::Weakness::revoke_grace)) linger();
        TRY(memory->write(offset + done, {step, part}));
        done += part;
        TRY(pause(caller, memory, done));
    }
    return 0;
}

base::Result<std::uint64_t> call_memory_resize(Thread& caller, Held<Memory> memory, std::uint64_t size) {
    TRY(memory->resize(size, memory.hold));
    record_use_of_foreign(caller, abi::KernelCall::memory_resize, *memory);
    return 0;
}

base::Result<std::uint64_t> call_space_create(Thread& caller, Held<Quota> quota, std::uint32_t flags) {
    if (flags & ~1u) return std::unexpected(abi::Error::bad_argument);
    return give(caller, TRY(Space::create_guest(*quota, TRY(caller.process().space()), flags & 1)), Space::rights);
}

base::Result<std::uint64_t> call_space_fork(Thread& caller, Held<Space> space, Held<Quota> quota) {
    auto copy = TRY(space->fork(*quota, TRY(caller.process().space()), space.hold));
    if (!quota.valid()) return std::unexpected(abi::Error::revoked); // it was made in steps
    const auto handle = give(caller, std::move(copy), Space::rights, space.hold);
    if (handle) record_use_of_space(caller, abi::KernelCall::space_fork, *space);
    return handle;
}

base::Result<std::uint64_t> call_space_map(Thread& caller, Held<Space> space, Held<Memory> memory, std::uint64_t address, std::uint64_t offset,
                                           std::uint64_t length, std::uint32_t flags) {
    TRY(pay_for_execute(caller, *space, flags));
    TRY(space->map(memory, address, offset, length, flags, space.hold));
    if (flags & abi::protection::execute) record_execute(caller, *space, memory.object.get(), address);
    record_use_of_space(caller, abi::KernelCall::space_map, *space);
    return 0;
}

base::Result<std::uint64_t> call_space_unmap(Thread& caller, Held<Space> space, std::uint64_t address, std::uint64_t length) {
    TRY(space->unmap(address, length, space.hold));
    record_use_of_space(caller, abi::KernelCall::space_unmap, *space);
    return 0;
}

base::Result<std::uint64_t> call_space_protect(Thread& caller, Held<Space> space, std::uint64_t address, std::uint64_t length, std::uint32_t protection) {
    TRY(pay_for_execute(caller, *space, protection));
    TRY(space->protect(address, length, protection, space.hold));
    if (protection & abi::protection::execute) record_execute(caller, *space, nullptr, address);
    record_use_of_space(caller, abi::KernelCall::space_protect, *space);
    return 0;
}

base::Result<std::uint64_t> call_space_move(Thread& caller, Held<Space> space, std::uint64_t from, std::uint64_t to, std::uint64_t length) {
    TRY(space->move(from, to, length, space.hold));
    record_use_of_space(caller, abi::KernelCall::space_move, *space);
    return 0;
}

base::Result<std::uint64_t> call_restricted_attach(Thread& caller, Held<Space> space) {
    if (space) TRY(space->check_attach(caller.process().number()));
    caller.attach(std::move(space.object));
    return 0;
}

base::Result<std::uint64_t> call_restricted_enter(Thread& caller, std::uint32_t flags) {
    TRY(enter_restricted(caller, flags));
    return 0;
}

base::Result<std::uint64_t> call_vector_state(Thread& caller, std::uint32_t operation, UserBytes buffer) {
    if (!caller.guest()) return std::unexpected(abi::Error::bad_state);
    if (operation == 0) return read_vector_state(caller, buffer);
    if (operation == 1) return write_vector_state(caller, buffer);
    return std::unexpected(abi::Error::bad_argument);
}

base::Result<std::uint64_t> call_futex_wait(Thread& caller, std::uint64_t address, std::uint32_t expected, abi::Deadline deadline, std::uint32_t flags,
                                            std::uint32_t bits) {
    auto space = TRY(futex_space(caller, flags));
    TRY(futex_wait(caller, *space, address, flags & futex_shared, expected, deadline, bits));
    return 0;
}

base::Result<std::uint64_t> call_futex_wake(Thread& caller, std::uint64_t address, std::uint32_t count, std::uint32_t flags, std::uint64_t requeue_to,
                                            std::uint32_t requeue_count, std::uint32_t bits) {
    auto space = TRY(futex_space(caller, flags));
    const FutexWoken done = TRY(futex_wake(*space, address, flags & futex_shared, count, bits, requeue_to, requeue_count));
    return std::uint64_t{done.moved} << 32 | done.woken;
}

} // namespace kernel
