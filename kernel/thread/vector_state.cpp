#include "kernel/thread/vector_state.hpp"

#include "kernel/arch/cpu.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/arch/vector_area.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// Whose state the registers of each CPU hold; a thread that comes back to its last CPU finds it there. Compared, never followed.
constinit const Thread* owner[arch::max_cpus] = {};

std::size_t area_bytes() { return arch::features().xsave ? arch::features().xsave_bytes : vector_area::legacy_bytes; }

void save(std::byte* area) { arch::save_vector_registers(area, arch::features().xsave); }
void load(const std::byte* area) { arch::load_vector_registers(area, arch::features().xsave); }

void take_registers(Thread& thread) {
    const std::uint32_t cpu = arch::this_cpu().index;
    arch::vector_registers_on();
    if (owner[cpu] != &thread || thread.vector_cpu != cpu) load(thread.vector_area);
    owner[cpu] = &thread;
    thread.vector_cpu = cpu;
}

// MXCSR bits that the processor has, as FXSAVE tells; 0 stands for the first processors' set.
std::uint32_t supported_mxcsr(const std::byte* area) {
    std::uint32_t mask;
    __builtin_memcpy(&mask, area + vector_area::mxcsr_mask, sizeof(mask));
    return mask ? mask : 0xffbf;
}

} // namespace

base::Result<void> prepare_vector_state(Thread& thread, bool reset) {
    if (thread.vector_area && !reset) return {};
    if (!thread.vector_area) {
        Quota& quota = thread.process().quota();
        const std::uint64_t frame = allocate_charged(quota);
        if (!frame) return std::unexpected(abi::Error::no_memory);
        thread.vector_area = direct<std::byte>(frame);
    }
    vector_area::initialise(thread.vector_area, area_bytes());
    arch::vector_registers_on();
    load(thread.vector_area);
    const std::uint32_t cpu = arch::this_cpu().index;
    owner[cpu] = &thread;
    thread.vector_cpu = cpu;
    return {};
}

void vector_switch_out(Thread& thread) {
    if (thread.vector_area) save(thread.vector_area);
}

void vector_switch_in(Thread& thread) {
    if (thread.vector_area) {
        take_registers(thread);
    } else if (!base::weakened(base::Weakness::vector_registers)) {
        arch::vector_registers_off();
    }
}

void release_vector_state(Thread& thread) {
    if (!thread.vector_area) return;
    // The next thread at this address must not be taken for this one.
    for (const Thread*& one : owner) {
        if (one == &thread) one = nullptr;
    }
    frames::release(physical_of(thread.vector_area));
    thread.vector_area = nullptr;
}

void leave_vector_registers(Thread& self) {
    if (!self.vector_area) return;
    release_vector_state(self);
    arch::vector_registers_off();
}

base::Result<std::uint64_t> read_vector_state(Thread& thread, UserBytes buffer) {
    TRY(prepare_vector_state(thread, false));
    const std::size_t bytes = buffer.length == vector_area::legacy_bytes ? buffer.length : area_bytes();
    if (buffer.length < bytes) return std::unexpected(abi::Error::bad_argument);
    save(thread.vector_area);
    TRY(copy_to_user(thread, buffer.address, thread.vector_area, bytes));
    return bytes;
}

base::Result<std::uint64_t> write_vector_state(Thread& thread, UserBytes buffer) {
    TRY(prepare_vector_state(thread, false));
    const std::size_t bytes = area_bytes();
    if (buffer.length < vector_area::legacy_bytes || buffer.length > bytes) return std::unexpected(abi::Error::bad_argument);
    save(thread.vector_area);
    const std::uint32_t mask = supported_mxcsr(thread.vector_area);
    // Checked in a page of its own: the thread may be switched away meanwhile, and its area must hold a state that loads.
    const std::uint64_t scratch = allocate_charged(thread.process().quota());
    if (!scratch) return std::unexpected(abi::Error::no_memory);
    std::byte* const area = direct<std::byte>(scratch);
    const std::uint64_t supported = arch::features().xsave ? arch::features().xsave_mask : vector_area::x87_and_sse;
    base::Result<void> checked = copy_from_user(thread, area, buffer.address, buffer.length);
    if (checked) checked = vector_area::sanitise(area, buffer.length, supported, mask);
    if (checked) {
        std::memcpy(thread.vector_area, area, bytes);
        load(thread.vector_area);
    }
    frames::release(scratch);
    if (!checked) return std::unexpected(checked.error());
    return buffer.length;
}

} // namespace kernel
