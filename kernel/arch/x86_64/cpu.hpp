// What each CPU has for itself, found through GS.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/arch/x86_64/instructions.hpp"
#include "kernel/arch/x86_64/registers.hpp"

namespace kernel {
class Task;
struct RootPair;
struct RunQueue;
} // namespace kernel

namespace kernel::arch {

inline constexpr std::size_t max_cpus = 64;

// Intel SDM volume 3, figure 8-11
struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0 = 0;
    std::uint64_t stack[3] = {};
    std::uint64_t reserved1 = 0;
    std::uint64_t interrupt_stack[7] = {};
    std::uint64_t reserved2 = 0;
    std::uint16_t reserved3 = 0;
    std::uint16_t io_map = sizeof(TaskState);
};

struct Cpu {
    // entry.S knows the first nine by their offsets.
    Cpu* self = nullptr;
    std::uint64_t kernel_stack = 0; // top, of the current thread
    std::uint64_t user_stack = 0;   // scratch of the system call entry
    Task* current = nullptr;
    std::uint64_t loaded_root = 0;              // which of these two CR3 holds
    std::uint64_t native_root = 0;              // of the current thread, as CR3 takes them
    std::uint64_t guest_root = 0;
    std::atomic<std::uint64_t> root_loads{0};   // written by this CPU alone
    TaskState task_state;
    bool tags_roots = false;                        // PCID is on
    const RootPair* roots = nullptr;                // which pair the two roots above are
    std::atomic<std::uint64_t> entered_roots{0};    // its name, set before its root is loaded; see core/tlb_state.hpp
    std::atomic<std::uint64_t> settled_roots{0};    // the same, set behind that
    std::atomic<std::uint64_t> rested_roots{0};     // the same of a pair that is loaded and that nobody uses, while this CPU is idle

    std::uint32_t index = 0;
    std::uint32_t apic_id = 0;
    std::atomic<std::uint64_t> quiescent{0};  // counts returns to user mode and idle rounds
    std::atomic<bool> online{false};
    std::atomic<std::uint64_t> shootdowns_requested{0};
    std::atomic<std::uint64_t> shootdowns_served{0};
    std::atomic<bool> shootdown_of_kernel{false}; // what is asked for takes the global translations too; set before the request is counted
    std::atomic<std::uint64_t> idle_wakeups{0}; // written by this CPU alone: interrupts that ended its halt
    std::atomic<std::uint64_t> page_faults{0};  // the same: faults of user mode that were resolved
    std::uint64_t objects_made = 0;             // for their numbers
    std::uint64_t last_domain = 0;              // the last untrusted one; see domains.hpp
    bool reschedule = false;                  // a better thread is ready, or the slice is over
    RunQueue* queue = nullptr;
    std::uint64_t gdt[8] = {};
};
static_assert(offsetof(Cpu, kernel_stack) == 8 && offsetof(Cpu, user_stack) == 16 && offsetof(Cpu, current) == 24 && offsetof(Cpu, loaded_root) == 32 &&
              offsetof(Cpu, native_root) == 40 && offsetof(Cpu, guest_root) == 48 && offsetof(Cpu, root_loads) == 56 && offsetof(Cpu, task_state) == 64 &&
              offsetof(TaskState, stack) == 4);

inline Cpu& this_cpu() {
    Cpu* cpu;
    asm volatile("mov %%gs:0, %0" : "=r"(cpu));
    return *cpu;
}
// The same for the fields of plain types, without a register for its address.
inline auto* here() { return static_cast<Cpu __attribute__((address_space(256)))*>(nullptr); }
// The same from the very begin on: null while GS does not lead to it yet.
Cpu* find_this_cpu();
Cpu& cpu(std::size_t index);
std::size_t cpu_count(); // online
// What is online has an index below it. Grows before a CPU is started: whoever still reads the smaller one behind a fence has made its changes visible to the CPU that comes.
inline std::atomic<std::size_t> cpu_limit{1};

// Properties that the processors may or may not have.
struct Features {
    bool smep, smap, umip, fsgsbase, pcid, invpcid, x2apic, tsc_deadline, xsave, gib_pages;
    std::uint64_t xsave_mask;  // XCR0
    std::uint32_t xsave_bytes; // of the standard form for that mask
};
const Features& features();
void detect_features(bool tags_roots);

// Descriptor tables, system registers. `cpu.gdt` and `task_state` are filled; GS points to `cpu` afterwards.
void initialize_cpu(Cpu& cpu, std::uint64_t fault_stack_top, std::uint64_t nmi_stack_top, std::uint64_t debug_stack_top);
// Once, before the first initialize_cpu.
void initialize_interrupt_table();
// For each CPU.
void load_interrupt_table();

// Makes `root` this CPU's page-table root; `forgets`: also where it says that the TLB keeps what it holds under the root's tag.
inline void change_root(Cpu& self, std::uint64_t root, bool forgets) {
    constexpr std::uint64_t keeps = 1ull << 63;
    self.loaded_root = root;
    self.root_loads.store(self.root_loads.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    write_cr3(forgets ? root & ~keeps : root);
}
// To the other root of the current thread, unless it is loaded.
inline void load_root(std::uint64_t root) {
    Cpu& self = this_cpu();
    if (self.loaded_root != root)
        change_root(self, root, false);
}
// Of all CPUs since the start.
std::uint64_t root_loads();
std::uint64_t page_faults();
// With interrupts off.
inline void count_page_fault() {
    std::atomic<std::uint64_t>& count = this_cpu().page_faults;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Programs the stack that the next entry from user mode uses.
inline void set_kernel_stack(std::uint64_t top) {
    Cpu& cpu = this_cpu();
    cpu.kernel_stack = top;
    cpu.task_state.stack[0] = top;
}

} // namespace kernel::arch
