// The calls that change what is mapped in a space.
#include <algorithm>

#include "kernel/core/grace.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/space/space.hpp"
#include "kernel/space/steps.hpp"
#include "kernel/space/table_batch.hpp"

namespace kernel {

namespace {

constexpr std::uint32_t known_flags = abi::protection::read | abi::protection::write | abi::protection::execute | abi::map_flag::copy_on_write |
                                      abi::map_flag::replace | abi::map_flag::populate;
constexpr abi::Protection all_protection = abi::protection::read | abi::protection::write | abi::protection::execute;
constexpr abi::Protection write_and_execute = abi::protection::write | abi::protection::execute;

// A look for the next frame of a Memory, in the units of Walk.
constexpr std::uint64_t look_work = 64;

// Keeps a mapping that is in its space for as long as a call is at work on it.
class MappingHold {
public:
    explicit MappingHold(Mapping* mapping) : mapping_(mapping) {}
    MappingHold(const MappingHold&) = delete;
    MappingHold& operator=(const MappingHold&) = delete;
    ~MappingHold() {
        if (mapping_) mapping_->release();
    }

private:
    Mapping* mapping_;
};

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

// The Memory's frames are executed in place only where nobody writes to them any more.
std::uint64_t private_flags_of(const Memory& memory, abi::Protection protection) {
    using Table = PageTable<TableBatch>;
    return memory.constant() || base::weakened(base::Weakness::alias_execute) ? Table::private_flags(protection, false) : Table::changeable_flags(protection);
}

// Goes on where a page was entered, up to the first one that the Memory has no frame of or the end of the table: the way to the table and the look at the Memory are paid once for
// all of them. `page`: the Memory's at walk.at.
template <class Table> [[gnu::noinline]] void enter_run(Table& table, Walk& walk, Memory& memory, std::uint64_t page, std::uint64_t flags) {
    constexpr std::uint64_t table_bytes = 512 * abi::page_size, most = 64, pages_of_work = 2;
    const std::uint64_t begin = walk.at, left = std::min((table_bytes - begin % table_bytes) % table_bytes, most * abi::page_size);
    if (begin >= walk.end || left == 0) return;
    const std::uint64_t end = begin + std::min(left, walk.end - begin);
    walk.at = end;
    memory.take_several([&](auto&& take) {
        table.fill(begin, end, flags, [&](std::uint64_t at) -> std::uint64_t {
            if (walk.at != end) return 0;
            const std::uint64_t frame = take(page + (at - begin) / abi::page_size);
            if (!frame) walk.at = at;
            return frame;
        });
    });
    walk.spend((walk.at - begin) / abi::page_size / pages_of_work);
}

} // namespace

// W^X binds the personality half always; the guest half for what others see too. A guest's own memory may be both: just-in-time compilers are programs like others.
base::Result<void> Space::check_protection(abi::Protection protection, bool own) const {
    if (protection & ~all_protection) return std::unexpected(abi::Error::bad_argument);
    if (is_write_and_execute(protection) && !(own && is_guest())) return std::unexpected(abi::Error::bad_argument);
    return {};
}

base::Result<void> Space::map(const Held<Memory>& memory, std::uint64_t address, std::uint64_t offset, std::uint64_t length, std::uint32_t flags,
                               const LeaseHold& hold) {
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
    RangeWork work(range, true);
    TRY(begin_work(work, hold));
    linger_beside_call(1);
    auto mapped = flags & abi::map_flag::replace ? cut_edges(range) : check_empty(range);
    // A refusal leaves what is there, as far as it does not come of what others do meanwhile.
    if (mapped && (flags & abi::map_flag::replace) && memory && !copied) mapped = check_sharing(*memory.object, range, protection);
    if (mapped && (flags & abi::map_flag::replace)) mapped = clear_range(range);
    if (mapped) {
        mapped = map_range(memory, range, offset, flags);
        // The range was empty: what was entered before a failure goes again.
        if (!mapped) (void)clear_range(range);
    }
    end_work(work);
    return mapped;
}

base::Result<void> Space::map_range(const Held<Memory>& memory, Range range, std::uint64_t offset, std::uint32_t flags) {
    const abi::Protection protection = flags & all_protection;
    if (memory && (flags & abi::map_flag::copy_on_write)) return enter_private(memory, range, offset, protection);
    if (memory) return map_shared(memory, range, offset, protection);
    TRY(walk_in_steps(range, [&](auto& table, Walk& walk) { return table.mark(walk, protection); }));
    if (!(flags & abi::map_flag::populate)) return {};
    const abi::Protection access = protection & abi::protection::write ? abi::protection::write : abi::protection::read;
    return walk_in_steps(range, [&](auto& table, Walk& walk) -> base::Result<void> {
        if (caller_ends()) return std::unexpected(abi::Error::canceled);
        for (; !walk.done() && !walk.stopped(); walk.at += abi::page_size) {
            TRY(table.resolve(walk.at, access));
            walk.spend(Walk::frame_work);
        }
        return {};
    });
}

base::Result<void> Space::check_sharing(Memory& memory, Range range, abi::Protection protection) {
    Memory::Sharers within;
    TRY(visit_mappings(range, [&](Mapping& mapping) -> base::Result<void> {
        if (mapping.memory.get() == &memory) memory.count_sharer(mapping, within);
        return {};
    }));
    return memory.check_sharing(protection, within);
}

base::Result<void> Space::enter_private(const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection) {
    Mapping* mapping = nullptr;
    if (memory.hold.lease) {
        // Only for the revocation's sake: private pages are in the table alone.
        mapping = Mapping::create(*this);
        if (!mapping) return std::unexpected(abi::Error::no_memory);
        mapping->kind = Mapping::Kind::private_copy;
        mapping->hold = memory.hold;
        mapping->begin = range.begin;
        mapping->end = range.end;
        mapping->allowed = all_protection;
        TRY(publish(*mapping));
    }
    const MappingHold keep(mapping);
    // Pages without a frame are demand-zero like the Memory itself; they are marked up to the next one that has a frame.
    return walk_in_steps(range, [&](auto& table, Walk& walk) -> base::Result<void> {
        if (mapping && (!mapping->live || mapping->closing)) return std::unexpected(abi::Error::revoked);
        while (!walk.done() && !walk.stopped()) {
            const std::uint64_t page = (offset + (walk.at - range.begin)) / abi::page_size;
            const std::uint64_t ahead = std::min(memory->next_committed(page) - page, (range.end - walk.at) / abi::page_size);
            if (ahead != 0) {
                Walk hole(walk.at, walk.at + ahead * abi::page_size, walk.work);
                const auto marked = table.mark(hole, protection);
                walk.at = hole.at;
                walk.work = hole.work;
                walk.spend(look_work);
                TRY(marked);
                continue;
            }
            const auto frame = memory->take_frame(page, false);
            if (!frame && frame.error() != abi::Error::not_found) return std::unexpected(frame.error());
            const std::uint64_t flags = private_flags_of(*memory.object, protection);
            if (!frame) {
                TRY(table.mark(walk.at, walk.at + abi::page_size, protection));
            } else if (auto entered = table.map(walk.at, *frame, flags); !entered) {
                frames::release(*frame);
                return entered;
            }
            walk.at += abi::page_size;
            walk.spend(Walk::drop_work);
            if (frame) enter_run(table, walk, *memory.object, page + 1, flags);
        }
        return {};
    });
}

base::Result<void> Space::map_shared(const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection) {
    Mapping* mapping = Mapping::create(*this);
    if (!mapping) return std::unexpected(abi::Error::no_memory);
    mapping->memory = memory.object;
    mapping->hold = memory.hold;
    mapping->begin = range.begin;
    mapping->end = range.end;
    mapping->offset = offset;
    mapping->protection = protection;
    mapping->allowed = allowed_of(memory, protection);
    TRY(publish(*mapping));
    const MappingHold keep(mapping);
    {
        // Looked at after the mapping can be found: a seal before this is seen here, one after it visits the mapping. No page is entered yet.
        LockGuard guard(lock_);
        if (memory->sealed()) {
            mapping->allowed &= ~abi::protection::write;
            if (mapping->live) memory->end_write(*mapping);
        }
        if (protection & ~mapping->allowed) return std::unexpected(abi::Error::bad_state);
    }
    // Frames that are there are entered at once; the others come by faults.
    return walk_in_steps(range, [&](auto& table, Walk& walk) -> base::Result<void> {
        if (!mapping->live || mapping->closing) return std::unexpected(abi::Error::revoked);
        // A seal between two steps took the right to write away.
        const std::uint64_t flags = PageTable<TableBatch>::shared_flags(mapping->protection, mapping->allowed);
        while (!walk.done() && !walk.stopped()) {
            const std::uint64_t page = (offset + (walk.at - range.begin)) / abi::page_size;
            const std::uint64_t ahead = memory->next_committed(page) - page;
            walk.spend(look_work);
            if (ahead >= (range.end - walk.at) / abi::page_size) {
                walk.at = range.end;
                return {};
            }
            walk.at += ahead * abi::page_size;
            if (ahead != 0) continue;
            const auto frame = memory->take_frame(page, false);
            if (frame) {
                if (auto entered = table.map(walk.at, *frame, flags); !entered) {
                    frames::release(*frame);
                    return entered;
                }
            }
            walk.at += abi::page_size;
            if (frame) enter_run(table, walk, *memory.object, page + 1, flags);
        }
        return {};
    });
}

base::Result<void> Space::publish(Mapping& mapping) {
    LockGuard guard(lock_);
    const bool ended = ended_;
    // The caller's reference, which MappingHold gives up.
    mapping.retain();
    auto inserted = ended ? std::unexpected(abi::Error::bad_state) : insert_mapping(mapping);
    if (inserted) return {};
    mapping.release();
    mapping.release();
    return inserted;
}

base::Result<void> Space::map_device(std::uint64_t physical, std::uint64_t size, const LeaseHold& hold, std::uint64_t address, abi::Protection protection) {
    const Range range = TRY(check_range(address, size));
    if (!hold.valid()) return std::unexpected(abi::Error::revoked);
    RangeWork work(range, true);
    TRY(begin_work(work, hold));
    auto mapped = check_empty(range);
    if (mapped) {
        mapped = enter_device(physical, range, hold, protection);
        if (!mapped) (void)clear_range(range);
    }
    end_work(work);
    return mapped;
}

base::Result<void> Space::enter_device(std::uint64_t physical, Range range, const LeaseHold& hold, abi::Protection protection) {
    Mapping* mapping = nullptr;
    if (hold.lease) {
        mapping = Mapping::create(*this);
        if (!mapping) return std::unexpected(abi::Error::no_memory);
        mapping->kind = Mapping::Kind::device;
        mapping->hold = hold;
        mapping->begin = range.begin;
        mapping->end = range.end;
        mapping->allowed = protection;
        TRY(publish(*mapping));
    }
    const MappingHold keep(mapping);
    // A copy of the kernel's that has not seen this yet has ended, and met no page of the device, when all processors have been outside once.
    has_devices_.store(true, std::memory_order_seq_cst);
    wait_for_grace_period();
    const std::uint64_t flags = PageTable<TableBatch>::shared_flags(protection, protection) | entry::device | entry::uncached;
    return walk_in_steps(range, [&](auto& table, Walk& walk) -> base::Result<void> {
        if (mapping && (!mapping->live || mapping->closing)) return std::unexpected(abi::Error::revoked);
        for (; !walk.done() && !walk.stopped(); walk.at += abi::page_size) {
            TRY(table.map(walk.at, physical + (walk.at - range.begin), flags));
            walk.spend(Walk::drop_work);
        }
        return {};
    });
}

base::Result<void> Space::check_empty(Range range) {
    return walk_in_steps(range, [&](auto& table, Walk& walk) -> base::Result<void> {
        lock_.assert_held();
        if (overlaps_mapping(range) || !table.empty(walk)) return std::unexpected(abi::Error::exists);
        return {};
    });
}

base::Result<void> Space::cut_edges(Range range) {
    return in_steps([&](TableBatch& batch) -> base::Result<bool> {
        lock_.assert_held();
        TRY(cut_at_edges(batch, range));
        return true;
    });
}

base::Result<void> Space::clear_range(Range range) {
    TRY(walk_in_steps(range, [](auto& table, Walk& walk) { return table.unmap(walk); }));
    return visit_mappings(range, [&](Mapping& mapping) -> base::Result<void> {
        lock_.assert_held();
        remove_mapping(mapping);
        return {};
    });
}

base::Result<void> Space::unmap(std::uint64_t address, std::uint64_t length, const LeaseHold& hold) {
    const Range range = TRY(check_range(address, length));
    RangeWork work(range, true);
    TRY(begin_work(work, hold));
    auto unmapped = cut_edges(range);
    if (unmapped) unmapped = clear_range(range);
    end_work(work);
    return unmapped;
}

base::Result<void> Space::protect(std::uint64_t address, std::uint64_t length, abi::Protection protection, const LeaseHold& hold) {
    const Range range = TRY(check_range(address, length));
    TRY(check_protection(protection, true));
    RangeWork work(range, false);
    TRY(begin_work(work, hold));
    auto done = protect_range(range, protection);
    end_work(work);
    return done;
}

base::Result<void> Space::protect_range(Range range, abi::Protection protection) {
    // What only touches the range counts before it is split.
    Range rest = range;
    TRY(in_steps([&](TableBatch&) -> base::Result<bool> {
        lock_.assert_held();
        for (unsigned i = 0; i < step_mappings; ++i) {
            const Mapping* mapping = mappings_.lower_bound(rest.begin + 1);
            if (!mapping || mapping->begin >= range.end) return true;
            if (protection & ~mapping->allowed) return std::unexpected(abi::Error::missing_right);
            rest.begin = mapping->end;
        }
        return false;
    }));
    TRY(cut_edges(range));
    // Faults follow the mapping, so it comes before the pages.
    TRY(visit_mappings(range, [&](Mapping& mapping) -> base::Result<void> {
        mapping.protection = protection & mapping.allowed;
        return {};
    }));
    return walk_in_steps(range, [&](auto& table, Walk& walk) { return table.protect(walk, protection); });
}

base::Result<void> Space::move(std::uint64_t from, std::uint64_t to, std::uint64_t length, const LeaseHold& hold) {
    const Range source = TRY(check_range(from, length));
    const Range target = TRY(check_range(to, length));
    if (source.overlaps(target)) return std::unexpected(abi::Error::bad_argument);
    RangeWork work(source, true, target);
    TRY(begin_work(work, hold));
    auto moved = move_range(source, target);
    end_work(work);
    return moved;
}

base::Result<void> Space::move_range(Range source, Range target) {
    TRY(check_empty(target));
    linger_beside_call(1);
    TRY(cut_edges(source));
    if (auto prepared = walk_in_steps(source, [&](auto& table, Walk& walk) { return table.prepare_move(walk, target.begin); }); !prepared) {
        (void)clear_range(target);
        return prepared;
    }
    // All tables are there and nobody else enters anything, so this fails only where the space has ended.
    TRY(walk_in_steps(source, [&](auto& table, Walk& walk) { return table.commit_move(walk, target.begin); }));
    return visit_mappings(source, [&](Mapping& mapping) -> base::Result<void> {
        lock_.assert_held();
        mappings_.remove(mapping);
        mapping.begin = mapping.begin - source.begin + target.begin;
        mapping.end = mapping.end - source.begin + target.begin;
        mappings_.insert(mapping);
        return {};
    });
}

base::Result<void> Space::copy_mappings(Space& copy) {
    return visit_mappings({half_.begin, half_.end}, [&](Mapping& mapping) -> base::Result<void> {
        Mapping* twin = Mapping::create(copy);
        if (!twin) return std::unexpected(abi::Error::no_memory);
        twin->kind = mapping.kind;
        twin->memory = mapping.memory;
        twin->hold = mapping.hold;
        twin->begin = mapping.begin;
        twin->end = mapping.end;
        twin->offset = mapping.offset;
        twin->protection = mapping.protection;
        twin->allowed = mapping.allowed;
        twin->counted = mapping.counted;
        BesideGuard guard(copy.lock_);
        if (copy.insert_mapping(*twin, &mapping)) return {};
        twin->release();
        return std::unexpected(abi::Error::bad_state);
    });
}

base::Result<base::Ref<Space>> Space::fork(Quota& quota, base::Ref<Space> personality, const LeaseHold& hold) {
    if (!is_guest()) return std::unexpected(abi::Error::bad_state);
    auto copy = TRY(create_guest(quota, std::move(personality), fused_));
    // Nothing else changes what is mapped meanwhile; faults go on.
    RangeWork work({half_.begin, half_.end}, false);
    TRY(begin_work(work, hold));
    // A mapping first, then what is behind it: a seal or a revocation that comes in between finds it in the copy. Private and device pages that a revocation takes in the
    // copy could come again from here, so then the fork fails. Nobody else knows the copy but by its mappings, so the two locks have no order to break.
    auto copied = copy_mappings(*copy);
    if (copied) {
        copied = walk_in_steps(work.range, [&](auto& table, Walk& walk) -> base::Result<void> {
            BesideGuard guard(copy->lock_);
            if (copy->drops_ != 0) return std::unexpected(abi::Error::bad_state);
            [[clang::uninitialized]] TableBatch batch(*copy);
            auto copy_table = copy->tables(batch);
            return table.fork(walk, copy_table);
        });
    }
    end_work(work);
    if (!copied) copy->remove_all();
    TRY(copied);
    return copy;
}

} // namespace kernel
