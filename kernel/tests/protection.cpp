// What the kernel's own page tables allow, read from the tables that are loaded.
#include "kernel/arch/copy_user.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/entry.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/core/log.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/tests/harness.hpp"

extern "C" const unsigned char text_begin[], rodata_end[];

namespace kernel {

namespace {

// Calls visit(entry, physical begin, bytes, writable, executable) for every leaf of the kernel's part.
template <class Visit> void walk(std::uint64_t table, unsigned level, bool writable, bool executable, Visit& visit) {
    for (unsigned i = level == 3 ? 320 : 0; i < 512; ++i) {
        const std::uint64_t item = direct<const std::uint64_t>(table)[i];
        if ((item & entry::present) == 0)
            continue;
        const bool may_write = writable && (item & entry::writable) != 0;
        const bool may_execute = executable && (item & entry::no_execute) == 0;
        const std::uint64_t physical = item & entry::address_mask;
        if (level == 0 || (level < 3 && (item & entry::large) != 0))
            visit(physical & ~((std::uint64_t{4096} << 9 * level) - 1), std::uint64_t{4096} << 9 * level, may_write, may_execute);
        else
            walk(physical, level - 1, may_write, may_execute, visit);
    }
}

// 0 where nothing is mapped. Large pages are not looked for.
std::uint64_t translate(std::uint64_t wanted) {
    std::uint64_t table = arch::read_cr3() & entry::address_mask;
    for (unsigned level = 3;; --level) {
        const std::uint64_t item = direct<const std::uint64_t>(table)[wanted >> (12 + 9 * level) & 511];
        if ((item & entry::present) == 0)
            return 0;
        table = item & entry::address_mask;
        if (level == 0)
            return table;
    }
}

} // namespace

KERNEL_TEST(nothing_is_writable_and_executable) {
    std::uint64_t leaves = 0, wrong = 0;
    auto visit = [&](std::uint64_t, std::uint64_t, bool writable, bool executable) {
        ++leaves;
        wrong += writable && executable;
    };
    walk(arch::read_cr3() & entry::address_mask, 3, true, true, visit);
    EXPECT(leaves > 100);
    EXPECT(wrong == 0);
}

KERNEL_TEST(text_and_constants_have_no_writable_alias) {
    const std::uint64_t begin = translate(reinterpret_cast<std::uint64_t>(text_begin)), end = begin + static_cast<std::uint64_t>(rodata_end - text_begin);
    std::uint64_t views = 0, wrong = 0;
    auto visit = [&](std::uint64_t physical, std::uint64_t bytes, bool writable, bool) {
        if (physical >= end || physical + bytes <= begin)
            return;
        ++views;
        wrong += writable;
    };
    walk(arch::read_cr3() & entry::address_mask, 3, true, true, visit);
    EXPECT(views >= 2 * ((end - begin) / 4096));
    EXPECT(wrong == 0);
}

// The boot suite compares what several boots print.
KERNEL_TEST(the_image_lies_on_pages_of_the_top_two_gibibytes) {
    const auto begin = reinterpret_cast<std::uint64_t>(image_begin);
    log("image moved by %x", image_slide());
    EXPECT(begin % 4096 == 0);
    EXPECT(begin >= image_linked_base && image_linked_base >= 0 - (std::uint64_t{2} << 30));
}

KERNEL_TEST(stacks_for_faults_end_in_a_guard_page) {
    for (std::size_t i = 0; i < arch::cpu_count(); ++i)
        for (unsigned stack = 0; stack < 3; ++stack) {
            const std::uint64_t top = (arch::cpu(i).task_state.interrupt_stack[stack] + 4095) & ~std::uint64_t{4095};
            for (std::uint64_t page = 1; page <= stack_pages; ++page)
                EXPECT(translate(top - page * 4096) != 0);
            EXPECT(translate(top - (stack_pages + 1) * 4096) == 0);
        }
}

KERNEL_TEST(the_first_processors_stack_ends_in_a_guard_page) {
    unsigned pages = 0;
    for (std::uint64_t page = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) & ~std::uint64_t{4095}; translate(page) != 0 && pages <= stack_pages; page -= 4096)
        ++pages;
    EXPECT(pages >= 1 && pages <= stack_pages);
}

// More stacks at once than are kept. A page that a processor still remembers can be read.
KERNEL_TEST(a_retired_stack_is_forgotten_by_all_processors) {
    constexpr unsigned count = 120;
    static std::uint64_t lowest[count];
    std::uint64_t served[arch::max_cpus] = {};
    for (std::uint64_t& page : lowest)
        page = allocate_stack() - stack_pages * 4096;
    for (std::size_t i = 0; i < arch::cpu_count(); ++i)
        served[i] = arch::cpu(i).shootdowns_served.load();
    const std::uint64_t before = frames::free_count();
    for (const std::uint64_t page : lowest) {
        (void)*reinterpret_cast<const volatile std::uint64_t*>(page);
        free_stack(page + stack_pages * 4096);
    }
    for (unsigned i = 0; i < count; ++i) trim_stacks();
    unsigned retired = 0;
    for (const std::uint64_t page : lowest) {
        std::uint64_t word = 0;
        const bool readable = arch::copy_user(&word, reinterpret_cast<const void*>(page), sizeof word) == 0;
        EXPECT(readable == (translate(page) != 0));
        retired += !readable;
    }
    EXPECT(retired >= count / 2);
    EXPECT(frames::free_count() == before + retired * stack_pages);
    for (std::size_t i = 0; i < arch::cpu_count(); ++i)
        EXPECT(&arch::cpu(i) == &arch::this_cpu() || (arch::cpu(i).shootdowns_served.load() > served[i] && !arch::cpu(i).shootdown_of_kernel.load()));
}

// Registers alone: a kernel that is made to touch a user page here would not come back.
KERNEL_TEST(user_pages_are_not_run_and_not_read_by_accident) {
    constexpr std::uint64_t no_execution = 1 << 20, no_access = 1 << 21, no_tables = 1 << 11; // SDM volume 3, 2.5
    EXPECT(!arch::features().smep || (arch::read_cr4() & no_execution) != 0);
    EXPECT(!arch::features().smap || (arch::read_cr4() & no_access) != 0);
    EXPECT(!arch::features().umip || (arch::read_cr4() & no_tables) != 0);
    EXPECT((arch::read_flags() & arch::flag_access) == 0);
}

// The handler itself panics where AC is on. #DB and NMI have an entry of their own; both return to where they came from in the kernel.
KERNEL_TEST(no_entry_leaves_user_access_on) {
    if (!arch::features().smap)
        return;
    const auto set = [] { asm volatile("stac" ::: "memory", "cc"); };
    const auto is_set = [] { return (arch::read_flags() & arch::flag_access) != 0; };
    set();
    asm volatile("int $1" ::: "memory"); // an entry of its own, stack of #DB
    EXPECT(is_set());
    set();
    asm volatile("int $2" ::: "memory"); // the same, stack of NMI
    EXPECT(is_set());
    set();
    asm volatile("int $0xff" ::: "memory"); // all other vectors; the spurious one does nothing
    EXPECT(is_set());
    asm volatile("clac" ::: "memory", "cc");
}

} // namespace kernel
