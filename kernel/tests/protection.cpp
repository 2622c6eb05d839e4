// What the kernel's own page tables allow, read from the tables that are loaded.
#include "kernel/arch/instructions.hpp"
#include "kernel/arch/entry.hpp"
#include "kernel/arch/physical.hpp"
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

std::uint64_t translate(const void* address) {
    const auto wanted = reinterpret_cast<std::uint64_t>(address);
    std::uint64_t table = arch::read_cr3() & entry::address_mask;
    for (unsigned level = 3;; --level) {
        const std::uint64_t item = direct<const std::uint64_t>(table)[wanted >> (12 + 9 * level) & 511];
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
    const std::uint64_t begin = translate(text_begin), end = begin + static_cast<std::uint64_t>(rodata_end - text_begin);
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

} // namespace kernel
