#include "kernel/memory/tlb.hpp"

#include <atomic>

#include "kernel/arch/apic.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/core/panic.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace tlb {

namespace {

struct alignas(64) OwnTags {
    RootTags<> tags;
};
constinit OwnTags own_tags[arch::max_cpus];

RootTags<>& tags_of(const Machine& machine) { return own_tags[machine.index()].tags; }

class Requests {
public:
    void send_all(std::uint64_t indices) {
        for (; indices != 0; indices &= indices - 1) send(static_cast<std::size_t>(__builtin_ctzll(indices)));
    }
    void send(std::size_t index) {
        arch::Cpu& cpu = arch::cpu(index);
        tickets_[index] = cpu.shootdowns_requested.fetch_add(1, std::memory_order_seq_cst) + 1;
        targets_ |= 1ull << index;
        arch::send_interrupt(cpu.apic_id, arch::vector::shootdown);
    }
    void wait() {
        for (; targets_ != 0; targets_ &= targets_ - 1) {
            const auto index = static_cast<std::size_t>(__builtin_ctzll(targets_));
            while (arch::cpu(index).shootdowns_served.load(std::memory_order_acquire) < tickets_[index])
                arch::relax();
        }
    }

private:
    std::uint64_t tickets_[arch::max_cpus];
    std::uint64_t targets_ = 0;
};

template <class ForgetHere> void tell(TranslatedHalf& half, bool tables, ForgetHere&& forget_here) {
    Machine machine;
    const std::uint64_t users = count_change(machine, half, tables);
    if (machine.pair().leads_to(half)) forget_here(machine);
    if (users != 0 && !base::weakened(base::Weakness::page_shoot_down)) {
        [[clang::uninitialized]] Requests requests;
        requests.send_all(users);
        requests.wait();
    }
    half.finish_change();
}

} // namespace

void load_tagged(const RootPair& pair, bool guest_runs) {
    Machine machine;
    tags_of(machine).load(machine, pair, guest_runs);
}

void rest() {
    Machine machine;
    tags_of(machine).rest(machine);
}

void go_on(const RootPair& pair, bool guest_runs) {
    Machine machine;
    tags_of(machine).go_on(machine, pair, guest_runs);
}

namespace {

#ifdef KERNEL_CHECKS
// Whoever has entered the pair would go on with what is free a moment later.
void expect_unused(Machine& machine, const RootPair& pair) {
    for (std::size_t i = 0; i < machine.limit(); ++i)
        if (machine.is_other(i) && (machine.entered(i) == pair.name || machine.settled(i) == pair.name)) panic("processor %u uses a root that is about to be free", i);
}
#else
void expect_unused(Machine&, const RootPair&) {}
#endif

} // namespace

void end(const RootPair& pair) {
    Machine machine;
    if (&machine.pair() == &pair) tags_of(machine).go_on(machine, machine.kernel(), false);
    expect_unused(machine, pair);
    [[clang::uninitialized]] Requests requests;
    requests.send_all(find_resting(machine, pair));
    requests.wait();
}

void forget(TranslatedHalf& half) {
    tell(half, false, [](Machine& machine) { tags_of(machine).forget(machine); });
}

void forget_tables(TranslatedHalf& half) {
    tell(half, true, [](Machine& machine) { tags_of(machine).forget(machine); });
}

void forget_pages(TranslatedHalf& half, const std::uint64_t* addresses, std::size_t count) {
    tell(half, false, [&](Machine& machine) { tags_of(machine).forget_pages(machine, half, addresses, count); });
}

void flush_kernel_everywhere() {
    arch::invalidate_everything();
    // The change to the tables must be visible before the other CPUs are looked at: one that comes up after that sees the change.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    [[clang::uninitialized]] Requests requests;
    const arch::Cpu& self = arch::this_cpu();
    const std::size_t limit = arch::cpu_limit.load(std::memory_order_seq_cst);
    for (std::size_t i = 0; i < limit; ++i) {
        arch::Cpu& cpu = arch::cpu(i);
        if (&cpu == &self || !cpu.online.load(std::memory_order_acquire))
            continue;
        cpu.shootdown_of_kernel.store(true, std::memory_order_seq_cst);
        requests.send(i);
    }
    requests.wait();
}

// Whoever finds the mark of a request that is not counted yet has flushed for it: the tables were changed before the mark was set.
void flush_asked() {
    Machine machine;
    const bool rested = machine.rests();
    // Of a request beside the kernel's nothing else may tell: what it rests on may be free a moment later.
    if (rested) tags_of(machine).forget(machine);
    if (arch::this_cpu().shootdown_of_kernel.exchange(false, std::memory_order_seq_cst))
        arch::invalidate_everything();
    else if (!rested)
        tags_of(machine).forget(machine);
}

} // namespace tlb
} // namespace kernel
