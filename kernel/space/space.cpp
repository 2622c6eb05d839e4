#include "kernel/space/space.hpp"

#include <algorithm>

#include "kernel/arch/cpu.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/space/table_batch.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t table_entry_flags = entry::present | entry::writable | entry::user | entry::accessed;
constexpr unsigned personality_index = 256;
constexpr unsigned guest_level = 3;
constexpr unsigned personality_level = 2;

std::uint64_t allocate_root(Quota& quota) {
    if (!quota.charge_table()) return 0;
    const std::uint64_t root = frames::allocate_zeroed();
    if (!root) quota.release_table();
    return root;
}

void free_root(Quota& quota, std::uint64_t root) {
    if (!root) return;
    frames::release(root);
    quota.release_table();
}

} // namespace

Space::Space(Quota& quota, Half half, std::uint64_t process_number, bool fused)
    : Object(object_kind), quota_(quota), half_(half), process_number_(process_number), fused_(fused) {}

base::Result<base::Ref<Space>> Space::create_personality(Quota& quota, std::uint64_t process_number) {
    auto space = TRY(make_object<Space>(quota, quota, personality_half(), process_number, false));
    space->table_ = allocate_root(quota);
    if (!space->table_) return std::unexpected(abi::Error::no_memory);
    TRY(space->create_roots(space->table_));
    return space;
}

base::Result<base::Ref<Space>> Space::create_guest(Quota& quota, base::Ref<Space> personality, bool fused) {
    auto space = TRY(make_object<Space>(quota, quota, guest_half(), personality->process_number_, fused));
    TRY(space->create_roots(personality->table_));
    if (fused) {
        space->guest_root_ = space->native_root_;
    } else {
        space->guest_root_ = allocate_root(quota);
        if (!space->guest_root_) return std::unexpected(abi::Error::no_memory);
        share_kernel_map(space->guest_root_);
    }
    space->table_ = space->guest_root_;
    space->personality_ = std::move(personality);
    return space;
}

base::Result<void> Space::create_roots(std::uint64_t personality_table) {
    native_root_ = allocate_root(*quota_);
    if (!native_root_) return std::unexpected(abi::Error::no_memory);
    share_kernel_map(native_root_);
    direct<std::uint64_t>(native_root_)[personality_index] = personality_table | table_entry_flags;
    return {};
}

Space::~Space() {
    remove_all();
    // The last thread of a process frees its own space: the root is still in use on this CPU, and on this one only.
    const std::uint64_t loaded = arch::this_cpu().loaded_root;
    if (loaded && (loaded == native_root_ || loaded == guest_root_)) arch::load_root(kernel_root());
    if (!is_guest()) free_root(*quota_, table_);
    if (guest_root_ != native_root_) free_root(*quota_, guest_root_);
    free_root(*quota_, native_root_);
}

// Entries of the guest's top table appear in the personality's root as well, there without execution.
void Space::top_changed(unsigned index, std::uint64_t entry) {
    if (!is_guest() || fused_) return;
    const std::uint64_t no_execute = base::weakened(base::Weakness::guest_execute) ? 0 : entry::no_execute;
    const std::uint64_t copy = entry ? entry | no_execute : 0;
    __atomic_store_n(&direct<std::uint64_t>(native_root_)[index], copy, __ATOMIC_RELEASE);
}

PageTable<TableBatch> Space::tables(TableBatch& batch) const {
    return PageTable<TableBatch>(batch, table_, is_guest() ? guest_level : personality_level);
}

base::Result<void> Space::check_attach(std::uint64_t process_number) const {
    if (!is_guest()) return std::unexpected(abi::Error::wrong_kind);
    if (process_number != process_number_) return std::unexpected(abi::Error::bad_state);
    return {};
}

base::Result<Space::Range> Space::check_range(std::uint64_t address, std::uint64_t length) const {
    if (address % abi::page_size || length == 0 || length > half_.end) return std::unexpected(abi::Error::bad_argument);
    const std::uint64_t rounded = (length + abi::page_size - 1) & ~(abi::page_size - 1);
    if (!half_.contains(address, rounded)) return std::unexpected(abi::Error::bad_argument);
    return Range{address, address + rounded};
}

void Space::remove_all() {
    if (!table_) return;
    LockGuard guard(lock_);
    TableBatch batch(*this);
    while (!mappings_.empty()) remove_mapping(mappings_.front());
    batch.changed_everything();
    tables(batch).clear();
    if (!is_guest() || fused_) return;
    // The copies of what was cleared.
    std::uint64_t* const copies = direct<std::uint64_t>(native_root_);
    for (unsigned i = 0; i < personality_index; ++i) copies[i] = 0;
}

// --- mappings

Mapping* Space::find_mapping(std::uint64_t address) {
    for (Mapping& mapping : mappings_) {
        if (address >= mapping.begin && address < mapping.end) return &mapping;
    }
    return nullptr;
}

bool Space::overlaps_mapping(Range range) {
    for (const Mapping& mapping : mappings_) {
        if (mapping.begin < range.end && range.begin < mapping.end) return true;
    }
    return false;
}

bool Space::insert_mapping(Mapping& mapping) {
    if (mapping.hold.lease && !mapping.link(*mapping.hold.lease, mapping.hold.generation)) return false;
    mapping.live = true;
    mappings_.push_back(mapping);
    if (mapping.kind == Mapping::Kind::shared) mapping.memory->add_mapping(mapping);
    return true;
}

void Space::remove_mapping(Mapping& mapping) {
    mapping.live = false;
    mappings_.remove(mapping);
    if (mapping.kind == Mapping::Kind::shared) mapping.memory->remove_mapping(mapping);
    static_cast<LeaseUse&>(mapping).unlink();
    mapping.release();
}

base::Result<void> Space::split_at(std::uint64_t address) {
    Mapping* mapping = find_mapping(address);
    if (!mapping || mapping->begin == address) return {};
    Mapping* rest = Mapping::create(*this);
    if (!rest) return std::unexpected(abi::Error::no_memory);
    rest->kind = mapping->kind;
    rest->memory = mapping->memory;
    rest->hold = mapping->hold;
    rest->begin = address;
    rest->end = mapping->end;
    rest->offset = mapping->offset + (address - mapping->begin);
    rest->protection = mapping->protection;
    rest->allowed = mapping->allowed;
    if (!insert_mapping(*rest)) {
        // Revoked meanwhile: the whole mapping is about to be dropped by the revocation, and a range without a record would be left over.
        rest->release();
        return std::unexpected(abi::Error::no_memory);
    }
    mapping->end = address;
    return {};
}

base::Result<void> Space::split_at_edges(Range range) {
    TRY(split_at(range.begin));
    return split_at(range.end);
}

// --- faults

base::Result<std::uint64_t> Space::resolve_locked(TableBatch& batch, std::uint64_t address, abi::Protection access) {
    auto table = tables(batch);
    const auto resolved = table.resolve(address, access);
    if (resolved || resolved.error() != abi::Error::bad_pointer || table.look_up(address) != 0) return resolved;
    Mapping* mapping = find_mapping(address);
    if (!mapping || mapping->kind != Mapping::Kind::shared) return resolved;
    const bool allowed = access == abi::protection::read ? mapping->protection != 0 : (mapping->protection & access) != 0;
    if (!allowed) return resolved;
    const std::uint64_t page = (mapping->offset + (address - mapping->begin)) / abi::page_size;
    auto frame = mapping->memory->take_frame(page, true);
    // Past the Memory's end is as good as not mapped.
    if (!frame) return std::unexpected(frame.error() == abi::Error::no_memory ? abi::Error::no_memory : abi::Error::bad_pointer);
    const std::uint64_t flags = PageTable<TableBatch>::shared_flags(mapping->protection, mapping->allowed);
    if (auto entered = table.map(address & ~(abi::page_size - 1), *frame, flags); !entered) {
        frames::release(*frame);
        return std::unexpected(entered.error());
    }
    return *frame;
}

base::Result<void> Space::resolve(std::uint64_t address, abi::Protection access) {
    if (!contains(address, 1)) return std::unexpected(abi::Error::bad_pointer);
    LockGuard guard(lock_);
    TableBatch batch(*this);
    TRY(resolve_locked(batch, address, access));
    return {};
}

base::Result<std::uint64_t> Space::take_page(std::uint64_t address, abi::Protection access) {
    if (!contains(address, 1)) return std::unexpected(abi::Error::bad_pointer);
    LockGuard guard(lock_);
    TableBatch batch(*this);
    const std::uint64_t frame = TRY(resolve_locked(batch, address, access));
    if (tables(batch).look_up(address) & entry::device) return std::unexpected(abi::Error::bad_pointer);
    frames::retain(frame);
    return frame;
}

base::Result<std::uint64_t> Space::translate(std::uint64_t address) {
    LockGuard guard(lock_);
    TableBatch batch(*this);
    const std::uint64_t found = tables(batch).look_up(address);
    if (!(found & entry::present) || (found & (entry::device | entry::mark))) return std::unexpected(abi::Error::bad_pointer);
    return (found & entry::address_mask) | (address % abi::page_size);
}

// --- ThreadPages

base::Result<std::uint64_t> Space::add_thread_page(std::uint64_t& address) {
    const std::uint64_t frame = allocate_charged(*quota_);
    if (!frame) return std::unexpected(abi::Error::no_memory);
    constexpr abi::Protection protection = abi::protection::read | abi::protection::write;
    LockGuard guard(lock_);
    TableBatch batch(*this);
    auto table = tables(batch);
    address = abi::thread_pages_base;
    while (half_.contains(address, abi::page_size) && table.look_up(address) != 0) address += abi::page_size;
    // One reference is the thread's, the other the mapping's.
    if (!base::weakened(base::Weakness::page_pin)) frames::retain(frame);
    const bool room = half_.contains(address, abi::page_size);
    if (!room || !table.map(address, frame, PageTable<TableBatch>::shared_flags(protection, protection))) {
        frames::release(frame);
        frames::release(frame);
        return std::unexpected(abi::Error::no_memory);
    }
    return frame;
}

void Space::remove_thread_page(std::uint64_t address, std::uint64_t frame) {
    LockGuard guard(lock_);
    TableBatch batch(*this);
    // The process may have mapped something else there.
    if ((tables(batch).look_up(address) & entry::address_mask) != frame) return;
    (void)tables(batch).unmap(address, address + abi::page_size);
}

// --- for Memory and leases

void Space::drop_past(Mapping& mapping, std::uint64_t size) {
    LockGuard guard(lock_);
    if (!mapping.live) return;
    const std::uint64_t mapped = mapping.end - mapping.begin;
    const std::uint64_t keep = size > mapping.offset ? std::min(size - mapping.offset, mapped) : 0;
    if (keep == mapped) return;
    TableBatch batch(*this);
    // Entries of a shared mapping are single pages, so nothing has to be split and this cannot fail.
    (void)tables(batch).unmap(mapping.begin + keep, mapping.end);
}

void Space::drop_write(Mapping& mapping) {
    LockGuard guard(lock_);
    if (!mapping.live) return;
    mapping.protection &= ~abi::protection::write;
    mapping.allowed &= ~abi::protection::write;
    TableBatch batch(*this);
    tables(batch).for_each_page(mapping.begin, mapping.end, [](std::uint64_t, std::uint64_t value) {
        return value & ~(entry::writable | entry::allow_write);
    });
}

void Space::drop(Mapping& mapping) {
    LockGuard guard(lock_);
    if (!mapping.live) return;
    const Range range{mapping.begin, mapping.end};
    TableBatch batch(*this);
    remove_mapping(mapping);
    (void)tables(batch).unmap(range.begin, range.end);
}

} // namespace kernel
