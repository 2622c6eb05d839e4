#include "kernel/restricted/fast_call.hpp"

#include "abi/thread_page.hpp"
#include "kernel/core/index_within.hpp"
#include "kernel/thread/futex.hpp"
#include "kernel/thread/scheduler.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

namespace {

// A deadline, a signal, a page that is not there: the personality asks for the wait again, and finds out.
bool wait_at_word(Thread& thread, arch::Registers& registers, std::uint32_t bits, std::int64_t changed) {
    if (registers.r10 != 0) return false;
    abi::RestrictedState& page = thread.page().restricted;
    __atomic_store_n(&page.asleep, 1, __ATOMIC_RELAXED);
    const auto waited = futex_wait(thread, *thread.guest(), registers.rdi, false, static_cast<std::uint32_t>(registers.rdx), abi::never, bits);
    __atomic_store_n(&page.asleep, 0, __ATOMIC_RELAXED);
    if (!waited && waited.error() != abi::Error::changed) return false;
    registers.rax = waited ? 0 : static_cast<std::uint64_t>(changed);
    return true;
}

bool wake_at_word(Thread& thread, arch::Registers& registers) {
    const auto asked = static_cast<std::int32_t>(registers.rdx);
    const auto done = futex_wake(*thread.guest(), registers.rdi, false, asked < 1 ? 1 : static_cast<std::uint32_t>(asked), any_futex_bits);
    if (!done) return false;
    registers.rax = done->woken;
    return true;
}

bool serve_futex(Thread& thread, arch::Registers& registers) {
    // Other threads of the process may write the page at any time: each field is read once.
    const volatile abi::FutexCall& call = thread.page().fast_calls.futex;
    const auto operation = static_cast<std::uint32_t>(registers.rsi);
    if (operation == 0) return false;
    if (operation == call.wake) return wake_at_word(thread, registers);
    if (operation == call.wait) return wait_at_word(thread, registers, any_futex_bits, call.changed);
    if (operation != call.wait_for_bits[0] && operation != call.wait_for_bits[1]) return false;
    return wait_at_word(thread, registers, static_cast<std::uint32_t>(registers.r9), call.changed);
}

} // namespace

bool serve_fast_call(Thread& thread, arch::Registers& registers) {
    const std::uint64_t number = registers.rax;
    if (number >= abi::fast_calls) return false;
    const volatile abi::FastCalls& calls = thread.page().fast_calls;
    const std::uint8_t index = calls.index[index_within(number, abi::fast_calls)];
    switch (index) {
    case 0: return false;
    case static_cast<std::uint8_t>(abi::FastCall::yield):
        sched::yield();
        registers.rax = 0;
        return true;
    case static_cast<std::uint8_t>(abi::FastCall::futex): return serve_futex(thread, registers);
    default:
        registers.rax = calls.values[index % abi::constant_values];
        return true;
    }
}

} // namespace kernel
