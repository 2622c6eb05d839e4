// The calls that change what is mapped in a space.
#include <algorithm>

#include "kernel/memory/frames.hpp"
#include "kernel/space/space.hpp"
#include "kernel/space/table_batch.hpp"

namespace kernel {

namespace {

constexpr std::uint32_t known_flags = abi::protection::read | abi::protection::write | abi::protection::execute | abi::map_flag::copy_on_write |
                                      abi::map_flag::replace | abi::map_flag::populate;
constexpr abi::Protection all_protection = abi::protection::read | abi::protection::write | abi::protection::execute;
constexpr abi::Protection write_and_execute = abi::protection::write | abi::protection::execute;

bool is_write_and_execute(abi::Protection protection) { return (protection & write_and_execute) == write_and_execute; }

abi::Protection protection_of(abi::Rights rights) {
    abi::Protection protection = 0;
    if (rights & abi::right::read) protection |= abi::protection::read;
    if (rights & abi::right::write) protection |= abi::protection::write;
    if (rights & abi::right::execute) protection |= abi::protection::execute;
    return protection;
}

// How far a shared mapping's protection may go. Never both write and execute, by any sequence of changes: the first protection decides, a read-only one for the side
// that the rights name (write, where they name both).
abi::Protection allowed_of(const Held<Memory>& memory, abi::Protection protection) {
    abi::Protection allowed = protection_of(memory.rights);
    if (memory->sealed()) allowed &= ~abi::protection::write;
    if (is_write_and_execute(allowed)) {
        allowed &= ~(protection & abi::protection::execute ? abi::protection::write : abi::protection::execute);
    }
    return allowed;
}

} // namespace

// W^X binds the personality half always; the guest half for what others see too. A guest's own memory may be both: just-in-time compilers are programs like others.
base::Result<void> Space::check_protection(abi::Protection protection, bool own) const {
    if (protection & ~all_protection) return std::unexpected(abi::Error::bad_argument);
    if (is_write_and_execute(protection) && !(own && is_guest())) return std::unexpected(abi::Error::bad_argument);
    return {};
}

base::Result<void> Space::map(const Held<Memory>& memory, std::uint64_t address, std::uint64_t offset, std::uint64_t length, std::uint32_t flags) {
    if (flags & ~known_flags) return std::unexpected(abi::Error::bad_argument);
    const Range range = TRY(check_range(address, length));
    const abi::Protection protection = flags & all_protection;
    const bool copied = flags & abi::map_flag::copy_on_write;
    TRY(check_protection(protection, !memory || copied));
    if (memory) {
        const std::uint64_t size = memory->size();
        if (offset % abi::page_size || offset > size || range.end - range.begin > size - offset) return std::unexpected(abi::Error::bad_argument);
        if (!memory.valid()) return std::unexpected(abi::Error::revoked);
        // A private page is read from the Memory and then the space's own: write needs no right.
        abi::Protection needed = copied ? (protection & abi::protection::execute) | abi::protection::read : protection;
        if (needed & ~protection_of(memory.rights)) return std::unexpected(abi::Error::missing_right);
    }
    LockGuard guard(lock_);
    TableBatch batch(*this);
    if (flags & abi::map_flag::replace) {
        TRY(clear_range(batch, range));
    } else if (!tables(batch).empty(range.begin, range.end) || overlaps_mapping(range)) {
        return std::unexpected(abi::Error::exists);
    }
    base::Result<void> mapped;
    if (!memory) {
        mapped = tables(batch).mark(range.begin, range.end, protection);
        for (std::uint64_t page = range.begin; mapped && (flags & abi::map_flag::populate) && page < range.end; page += abi::page_size) {
            const abi::Protection access = protection & abi::protection::write ? abi::protection::write : abi::protection::read;
            if (auto resolved = tables(batch).resolve(page, access); !resolved) mapped = std::unexpected(resolved.error());
        }
    } else if (copied) {
        mapped = enter_private(batch, memory, range, offset, protection);
    } else {
        mapped = map_shared(batch, memory, range, offset, protection);
    }
    // The range was empty: what was entered before a failure goes again.
    if (!mapped) (void)clear_range(batch, range);
    return mapped;
}

base::Result<void> Space::enter_private(TableBatch& batch, const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection) {
    auto table = tables(batch);
    if (memory.hold.lease) {
        // Only for the revocation's sake: private pages are in the table alone.
        Mapping* mapping = Mapping::create(*this);
        if (!mapping) return std::unexpected(abi::Error::no_memory);
        mapping->kind = Mapping::Kind::private_copy;
        mapping->hold = memory.hold;
        mapping->begin = range.begin;
        mapping->end = range.end;
        mapping->allowed = all_protection;
        if (!insert_mapping(*mapping)) {
            mapping->release();
            return std::unexpected(abi::Error::revoked);
        }
    }
    std::uint64_t holes = range.begin; // pages without a frame, from here to `page`: demand-zero like the Memory itself
    for (std::uint64_t page = range.begin; page < range.end; page += abi::page_size) {
        const auto frame = memory->take_frame((offset + (page - range.begin)) / abi::page_size, false);
        if (!frame && frame.error() == abi::Error::not_found) continue;
        if (!frame) return std::unexpected(frame.error());
        base::Result<void> entered;
        if (holes < page) entered = table.mark(holes, page, protection);
        if (entered) entered = table.map(page, *frame, PageTable<TableBatch>::private_flags(protection, false));
        if (!entered) {
            frames::release(*frame);
            return entered;
        }
        holes = page + abi::page_size;
    }
    if (holes < range.end) return table.mark(holes, range.end, protection);
    return {};
}

base::Result<void> Space::map_shared(TableBatch& batch, const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection) {
    Mapping* mapping = Mapping::create(*this);
    if (!mapping) return std::unexpected(abi::Error::no_memory);
    mapping->memory = memory.object;
    mapping->hold = memory.hold;
    mapping->begin = range.begin;
    mapping->end = range.end;
    mapping->offset = offset;
    mapping->protection = protection;
    if (!insert_mapping(*mapping)) {
        mapping->release();
        return std::unexpected(abi::Error::revoked);
    }
    // Looked at after the mapping can be found: a seal before this is seen here, one after it visits the mapping.
    mapping->allowed = allowed_of(memory, protection);
    if (protection & ~mapping->allowed) return std::unexpected(abi::Error::bad_state);
    // Frames that are there are entered at once; the others come by faults.
    auto table = tables(batch);
    const std::uint64_t flags = PageTable<TableBatch>::shared_flags(protection, mapping->allowed);
    for (std::uint64_t page = range.begin; page < range.end; page += abi::page_size) {
        const auto frame = memory->take_frame((offset + (page - range.begin)) / abi::page_size, false);
        if (!frame) continue;
        if (auto entered = table.map(page, *frame, flags); !entered) {
            frames::release(*frame);
            return entered;
        }
    }
    return {};
}

base::Result<void> Space::map_device(std::uint64_t physical, std::uint64_t size, const LeaseHold& hold, std::uint64_t address, abi::Protection protection) {
    const Range range = TRY(check_range(address, size));
    if (!hold.valid()) return std::unexpected(abi::Error::revoked);
    LockGuard guard(lock_);
    TableBatch batch(*this);
    auto table = tables(batch);
    if (!table.empty(range.begin, range.end) || overlaps_mapping(range)) return std::unexpected(abi::Error::exists);
    if (hold.lease) {
        Mapping* mapping = Mapping::create(*this);
        if (!mapping) return std::unexpected(abi::Error::no_memory);
        mapping->kind = Mapping::Kind::device;
        mapping->hold = hold;
        mapping->begin = range.begin;
        mapping->end = range.end;
        mapping->allowed = protection;
        if (!insert_mapping(*mapping)) {
            mapping->release();
            return std::unexpected(abi::Error::revoked);
        }
    }
    const std::uint64_t flags = PageTable<TableBatch>::shared_flags(protection, protection) | entry::device | entry::uncached;
    for (std::uint64_t page = range.begin; page < range.end; page += abi::page_size) {
        if (auto entered = table.map(page, physical + (page - range.begin), flags); !entered) {
            (void)clear_range(batch, range);
            return entered;
        }
    }
    return {};
}

base::Result<void> Space::clear_range(TableBatch& batch, Range range) {
    TRY(split_at_edges(range));
    TRY(tables(batch).unmap(range.begin, range.end));
    for (auto at = mappings_.begin(); at != mappings_.end();) {
        Mapping& mapping = *at;
        ++at;
        if (mapping.begin >= range.begin && mapping.end <= range.end) remove_mapping(mapping);
    }
    return {};
}

base::Result<void> Space::unmap(std::uint64_t address, std::uint64_t length) {
    const Range range = TRY(check_range(address, length));
    LockGuard guard(lock_);
    TableBatch batch(*this);
    return clear_range(batch, range);
}

base::Result<void> Space::protect(std::uint64_t address, std::uint64_t length, abi::Protection protection) {
    const Range range = TRY(check_range(address, length));
    TRY(check_protection(protection, true));
    LockGuard guard(lock_);
    for (const Mapping& mapping : mappings_) {
        if (mapping.begin >= range.end || range.begin >= mapping.end) continue;
        if (protection & ~mapping.allowed) return std::unexpected(abi::Error::missing_right);
    }
    TableBatch batch(*this);
    TRY(split_at_edges(range));
    TRY(tables(batch).protect(range.begin, range.end, protection));
    for (Mapping& mapping : mappings_) {
        if (mapping.begin >= range.begin && mapping.end <= range.end) mapping.protection = protection;
    }
    return {};
}

base::Result<void> Space::move(std::uint64_t from, std::uint64_t to, std::uint64_t length) {
    const Range source = TRY(check_range(from, length));
    const Range target = TRY(check_range(to, length));
    if (source.begin < target.end && target.begin < source.end) return std::unexpected(abi::Error::bad_argument);
    LockGuard guard(lock_);
    TableBatch batch(*this);
    auto table = tables(batch);
    if (!table.empty(target.begin, target.end) || overlaps_mapping(target)) return std::unexpected(abi::Error::exists);
    TRY(split_at_edges(source));
    if (auto moved = table.move(source.begin, target.begin, source.end - source.begin); !moved) {
        // All tables of the way back are there, so this does not fail.
        (void)table.move(target.begin, source.begin, source.end - source.begin);
        return moved;
    }
    for (Mapping& mapping : mappings_) {
        if (mapping.begin < source.begin || mapping.end > source.end) continue;
        mapping.begin = mapping.begin - source.begin + target.begin;
        mapping.end = mapping.end - source.begin + target.begin;
    }
    return {};
}

base::Result<base::Ref<Space>> Space::fork(Quota& quota, base::Ref<Space> personality) {
    if (!is_guest()) return std::unexpected(abi::Error::bad_state);
    auto copy = TRY(create_guest(quota, std::move(personality), fused_));
    LockGuard guard(lock_);
    TableBatch batch(*this);
    // A seal may find the copy by its mappings before its pages are entered: it waits. Nobody else knows the copy, so the two locks have no order to break.
    LockGuard copy_guard(copy->lock_);
    TableBatch copy_batch(*copy);
    auto copy_table = copy->tables(copy_batch);
    for (const Mapping& mapping : mappings_) {
        Mapping* twin = Mapping::create(*copy);
        if (!twin) return std::unexpected(abi::Error::no_memory);
        twin->kind = mapping.kind;
        twin->memory = mapping.memory;
        twin->hold = mapping.hold;
        twin->begin = mapping.begin;
        twin->end = mapping.end;
        twin->offset = mapping.offset;
        twin->protection = mapping.protection;
        twin->allowed = mapping.allowed;
        if (!copy->insert_mapping(*twin)) {
            twin->release();
            return std::unexpected(abi::Error::bad_state);
        }
    }
    TRY(tables(batch).fork(copy_table));
    return copy;
}

} // namespace kernel
