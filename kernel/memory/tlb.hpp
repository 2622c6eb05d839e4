// Translation look-aside buffers: what CPUs have loaded, and one shoot-down path for everything. What is decided here is in core/tlb_state.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernel/arch/cpu.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/core/tlb_state.hpp"
#include "kernel/memory/kernel_map.hpp"

namespace kernel::tlb {

// Keeps its registers to itself, and this CPU's state off the stack of the usual way.
[[clang::preserve_most, gnu::noinline, gnu::cold]] void load_tagged(const RootPair& pair, bool guest_runs);

// This CPU, for the state.
class Machine {
public:
    const RootPair& pair() const { return *cpu_.roots; }
    std::uint64_t native() const { return cpu_.native_root; }
    std::uint64_t guest() const { return cpu_.guest_root; }
    std::uint64_t loaded() const { return cpu_.loaded_root; }
    void take(const RootPair& pair, std::uint64_t native, std::uint64_t guest) {
        cpu_.roots = &pair;
        cpu_.native_root = native;
        cpu_.guest_root = guest;
    }
    void load(std::uint64_t value, bool forgets) { arch::change_root(cpu_, value, forgets); }
    bool tags() const { return cpu_.tags_roots; }
    bool selects() const { return arch::features().invpcid; }
    void load_tagged(const RootPair& pair, bool guest_runs) { tlb::load_tagged(pair, guest_runs); }
    void forget_tag(std::uint64_t tag) { arch::invalidate_tag(tag); }
    void forget_page(std::uint64_t address) { arch::invalidate_page(address); }
    void forget_page_of(std::uint64_t tag, std::uint64_t address) { arch::invalidate_page_of_tag(tag, address); }
    // The exchange is the barrier between the word and the walks that follow.
    void enter(std::uint64_t name) { cpu_.entered_roots.store(name, std::memory_order_seq_cst); }
    void settle(std::uint64_t name) { cpu_.settled_roots.store(name, std::memory_order_release); }

    void rest(std::uint64_t name) { cpu_.rested_roots.store(name, std::memory_order_release); }
    bool rests() const { return cpu_.rested_roots.load(std::memory_order_relaxed) != 0; }
    const RootPair& kernel() const { return kernel_roots(); }

    std::size_t limit() const { return arch::cpu_limit.load(std::memory_order_seq_cst); }
    bool is_other(std::size_t index) const { return index != cpu_.index && arch::cpu(index).online.load(std::memory_order_acquire); }
    std::uint64_t entered(std::size_t index) const { return arch::cpu(index).entered_roots.load(std::memory_order_seq_cst); }
    std::uint64_t settled(std::size_t index) const { return arch::cpu(index).settled_roots.load(std::memory_order_seq_cst); }
    std::uint64_t rested(std::size_t index) const { return arch::cpu(index).rested_roots.load(std::memory_order_seq_cst); }

    std::uint32_t index() const { return cpu_.index; }

private:
    arch::Cpu& cpu_ = arch::this_cpu();
};

// Makes a root of the pair this CPU's, where a thread runs. Interrupts off.
[[gnu::always_inline]] inline void load(const RootPair& pair, bool guest_runs) {
    Machine machine;
    load_roots_of(machine, pair, guest_runs);
}
// Where this CPU has nothing to run: what is loaded stays so. Interrupts off.
void rest();
// As load(), where this CPU had nothing to run.
void go_on(const RootPair& pair, bool guest_runs);
// Before the roots of a pair are free that no thread uses or will use: no CPU, idle or not, has it loaded afterwards. Callable with locks held, as forget().
void end(const RootPair& pair);

// After a change to a half's tables, under the lock that its changes are made under: every CPU that may use what was there before forgets the half, or these pages of it, which is
// at most all that it remembers. Returns when all have done it. Callable with locks held: CPUs that spin serve the request. An idle CPU uses nothing, but may still walk tables:
// where some are to be free, forget_tables().
void forget(TranslatedHalf& half);
void forget_tables(TranslatedHalf& half);
void forget_pages(TranslatedHalf& half, const std::uint64_t* addresses, std::size_t count);
// Forgets all translations, the kernel's global ones too, on every CPU, idle or not; returns when all have done it. For what was unmapped from the kernel's own tables.
// Callable with locks held, as above.
void flush_kernel_everywhere();
// What other CPUs have asked this one for.
void flush_asked();

} // namespace kernel::tlb
