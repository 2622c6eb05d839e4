#include "kernel/core/grace.hpp"

#include <atomic>

#include "kernel/arch/apic.hpp"
#include "kernel/arch/clock.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/core/preempt.hpp"

namespace kernel {

namespace {

// Nanoseconds between two rounds. One costs every CPU an interrupt, whoever has it then, so a caller that asks again and again must not have one each time.
constexpr std::uint64_t rest = 100'000;

// A round that began after a caller came serves it, whoever began it. Rounds may overlap; a later one began later, so its end serves all before.
constinit std::atomic<std::uint64_t> rounds_begun{0};
constinit std::atomic<std::uint64_t> last_ended{0};
constinit std::atomic<std::uint64_t> next_round{0}; // not before, monotonic nanoseconds

std::uint64_t begin_grace_period(arch::Cpu& cpu) {
    const std::uint64_t before = cpu.quiescent.load(std::memory_order_acquire);
    arch::send_interrupt(cpu.apic_id, arch::vector::reschedule);
    return before;
}

void end_grace_period(arch::Cpu& cpu, std::uint64_t before) {
    while (cpu.quiescent.load(std::memory_order_acquire) == before) {
        // Whoever waits here uses no object; two CPUs may wait for each other.
        arch::this_cpu().quiescent.fetch_add(1, std::memory_order_release);
        arch::relax();
    }
}

bool is_other(const arch::Cpu& cpu) { return &cpu != &arch::this_cpu() && cpu.online.load(std::memory_order_acquire); }

// Interrupts are off and the caller stays on its CPU, so a round that began also ends.
void make_round() {
    const std::uint64_t number = rounds_begun.fetch_add(1, std::memory_order_seq_cst) + 1;
    // Its own task too: what somebody else changed and waits for this round with may concern it.
    arch::this_cpu().reschedule = true;
    std::uint64_t before[arch::max_cpus];
    for (std::size_t i = 0; i < arch::max_cpus; ++i)
        if (is_other(arch::cpu(i))) before[i] = begin_grace_period(arch::cpu(i));
    for (std::size_t i = 0; i < arch::max_cpus; ++i)
        if (is_other(arch::cpu(i))) end_grace_period(arch::cpu(i), before[i]);
    std::uint64_t ended = last_ended.load(std::memory_order_relaxed);
    while (ended < number && !last_ended.compare_exchange_weak(ended, number, std::memory_order_acq_rel, std::memory_order_relaxed)) {}
}

} // namespace

void wait_for_grace_period_of(arch::Cpu& cpu) { end_grace_period(cpu, begin_grace_period(cpu)); }

void wait_for_grace_period() {
    if (arch::cpu_count() == 1) return;
    // What the caller changed is seen by every CPU before the round's number is read: a round behind that number tells it to all.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t wanted = rounds_begun.load(std::memory_order_seq_cst) + 1;
    while (last_ended.load(std::memory_order_acquire) < wanted) {
        const std::uint64_t now = arch::monotonic_nanoseconds();
        std::uint64_t next = next_round.load(std::memory_order_relaxed);
        if (now < next || !next_round.compare_exchange_strong(next, now + rest, std::memory_order_acq_rel, std::memory_order_relaxed))
            wait_for_turn(0);
        else
            make_round();
    }
}

} // namespace kernel
