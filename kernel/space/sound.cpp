// What holds of a space whatever programs do, looked at where one ends that nobody has in work: each page of its tables is what a mapping says, or the space's own; the tables are those charged for.
#include "kernel/arch/physical.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/space/space.hpp"
#include "kernel/space/steps.hpp"

namespace kernel {

#ifdef KERNEL_CHECKS

namespace {

abi::Protection shown_protection(std::uint64_t value) {
    return (value & entry::writable ? abi::protection::write : 0) | ((value & entry::present) && !(value & entry::no_execute) ? abi::protection::execute : 0);
}
abi::Protection shown_allowed(std::uint64_t value) {
    return (value & entry::allow_write ? abi::protection::write : 0) | (value & entry::allow_execute ? abi::protection::execute : 0);
}

} // namespace

Memory::Shown Memory::shown(std::uint64_t page) {
    if (origin_) return origin_->shown(origin_page_ + page);
    LockGuard guard(lock_);
    return {page < pages_ ? frame_of(page) : 0, at_work_};
}

void Space::expect_sound_page(std::uint64_t address, std::uint64_t value, std::uint64_t& without_mapping) {
    const std::uint64_t frame = value & entry::address_mask;
    Mapping* const mapping = find_mapping(address);
    if (mapping && mapping->hold.lease && !mapping->is_linked_where_valid(*mapping->hold.lease, mapping->hold.generation)) panic("the mapping at %x is not linked to its lease", mapping->begin);
    if (value & entry::device) {
        if (mapping && (mapping->kind != Mapping::Kind::device || (shown_protection(value) & ~mapping->allowed))) panic("page %x is a device's and its mapping is not", address);
        if (frames::is_memory(frame)) panic("page %x is a device's and memory (%x)", address, frame);
        return;
    }
    const frames::Frame& record = frames::of(frame);
    const std::uint32_t references = record.references.load(std::memory_order_relaxed);
    if (references == 0) panic("page %x shows a free frame, %x", address, frame);
    if (value & entry::private_copy) {
        if (mapping && mapping->kind != Mapping::Kind::private_copy) panic("page %x is private within a mapping that is not", address);
        // Nobody else writes there, and somebody pays.
        if ((value & entry::writable) && (references != 1 || !record.payer)) panic("private page %x is written and its frame, %x, has %u references", address, frame, references);
        if ((value & entry::changeable) && (shown_protection(value) & abi::protection::execute)) panic("page %x is executed and may change", address);
        return;
    }
    if (!mapping) {
        ++without_mapping;
        return;
    }
    if (mapping->kind != Mapping::Kind::shared) panic("page %x is shared within a mapping that is not", address);
    // A seal or a shrink comes to each mapping in turn, and passes a space over that nobody holds any more.
    const Memory::Shown memory = mapping->memory->shown((mapping->offset + (address - mapping->begin)) / abi::page_size);
    if (memory.in_work) return;
    if ((shown_protection(value) & ~mapping->protection) || (shown_allowed(value) & ~mapping->allowed)) panic("page %x has more rights (%x) than its mapping (%u)", address, value, mapping->protection);
    if (memory.frame != frame && is_referenced()) panic("page %x shows frame %x where its Memory has %x", address, frame, memory.frame);
}

std::uint64_t Space::expect_sound_tables(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t& without_mapping) {
    const std::uint64_t bytes = abi::page_size << 9 * level;
    // Of a whole root the half that is this space's alone.
    const unsigned count = level == guest_level ? 256 : 512;
    std::uint64_t tables = 0;
    for (unsigned i = 0; i < count; ++i) {
        const std::uint64_t value = direct<std::uint64_t>(physical)[i], address = base + i * bytes;
        if (entry::is_table(value, level)) {
            tables += 1 + expect_sound_tables(value & entry::address_mask, level - 1, address, without_mapping);
        } else if (entry::is_mark(value)) {
            // What is first used there would be zeros, not what is mapped.
            const Mapping* const mapping = mappings_.lower_bound(address + 1);
            if (mapping && mapping->begin < address + bytes && mapping->kind != Mapping::Kind::private_copy) panic("%x is marked within a mapping", address);
        } else if (level == 0 && entry::has_frame(value)) {
            expect_sound_page(address, value, without_mapping);
        }
    }
    return tables;
}

void Space::expect_sound() {
    if (!works_.empty()) return;
    std::uint64_t without_mapping = 0;
    const std::uint64_t tables = expect_sound_tables(table_, top_level(), half_.begin, without_mapping);
    if (tables != charged_tables_) panic("a space has %u tables and %u charged", tables, charged_tables_);
    // The kernel's own: a program may have put them elsewhere or away.
    if (without_mapping > thread_pages_) panic("a space shows %u pages that nothing maps, and %u pages of threads", without_mapping, thread_pages_);
    if (!is_guest() || fused_) return;
    const std::uint64_t no_execute = base::weakened(base::Weakness::guest_execute) ? 0 : entry::no_execute;
    for (unsigned i = 0; i < 256; ++i) {
        const std::uint64_t own = direct<std::uint64_t>(roots_.guest)[i], copy = direct<std::uint64_t>(roots_.native)[i];
        if (copy != (own ? own | no_execute : 0)) panic("entry %u of a guest's root is %x and its personality's %x", i, own, copy);
    }
}

void Space::count_tables(std::int64_t change) { charged_tables_ += static_cast<std::uint64_t>(change); }
void Space::count_thread_pages(std::int64_t change) { thread_pages_ += static_cast<std::uint64_t>(change); }

#else

void Space::expect_sound() {}
void Space::count_tables(std::int64_t) {}
void Space::count_thread_pages(std::int64_t) {}

#endif

} // namespace kernel
