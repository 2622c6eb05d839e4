#include "kernel/space/space.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "kernel/memory/frames.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/memory/tlb.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/space/steps.hpp"
#include "kernel/space/table_batch.hpp"
#include "lib/base/weaken.hpp"
#include "kernel/core/preempt.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t table_entry_flags = entry::present | entry::writable | entry::user | entry::accessed;
constexpr unsigned personality_index = 256;

constinit std::atomic<std::uint64_t> pairs_made{0};

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

base::Result<base::Ref<Space>> Space::create_personality(Quota& quota, std::uint64_t process_number, std::uint64_t sandbox) {
    auto space = TRY(make_object<Space>(quota, quota, personality_half(), process_number, false));
    space->sandbox_ = sandbox;
    space->table_ = allocate_root(quota);
    if (!space->table_) return std::unexpected(abi::Error::no_memory);
    TRY(space->create_roots(*space));
    return space;
}

base::Result<base::Ref<Space>> Space::create_guest(Quota& quota, base::Ref<Space> personality, bool fused) {
    auto space = TRY(make_object<Space>(quota, quota, guest_half(), personality->process_number_, fused));
    space->sandbox_ = personality->sandbox_;
    TRY(space->create_roots(*personality));
    if (!fused) {
        space->roots_.guest = allocate_root(quota);
        if (!space->roots_.guest) return std::unexpected(abi::Error::no_memory);
        share_kernel_map(space->roots_.guest);
    }
    space->roots_.guest_half = &space->translated_;
    space->table_ = space->roots_.guest;
    space->personality_ = std::move(personality);
    return space;
}

base::Result<void> Space::create_roots(Space& personality) {
    roots_.native = roots_.guest = allocate_root(*quota_);
    if (!roots_.native) return std::unexpected(abi::Error::no_memory);
    share_kernel_map(roots_.native);
    direct<std::uint64_t>(roots_.native)[personality_index] = personality.table_ | table_entry_flags;
    roots_.number = pairs_made.fetch_add(1, std::memory_order_relaxed) + 1;
    roots_.name = name_of(personality.roots_.number, roots_.number);
    roots_.personality_half = &personality.translated_;
    translated_.lead_from(roots_.name, is_guest() ? whole_name : name_of_sandbox);
    return {};
}

Space::~Space() {
    // What end_in_steps left, if it was: a space that was never whole has nothing.
    if (!emptied_) remove_all(Manner::at_once);
    // The last thread of a process frees its own space: a root is still in use on this CPU, and on this one only. Idle ones may rest on it.
    if (roots_.native) tlb::end(roots_);
    if (!is_guest()) free_root(*quota_, table_);
    if (roots_.has_two()) free_root(*quota_, roots_.guest);
    free_root(*quota_, roots_.native);
}

// Entries of the guest's top table appear in the personality's root as well, there without execution.
void Space::top_changed(unsigned index, std::uint64_t entry) {
    if (!is_guest() || fused_) return;
    const std::uint64_t no_execute = base::weakened(base::Weakness::guest_execute) ? 0 : entry::no_execute;
    const std::uint64_t copy = entry ? entry | no_execute : 0;
    __atomic_store_n(&direct<std::uint64_t>(roots_.native)[index], copy, __ATOMIC_RELEASE);
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

void Space::on_slots_gone() {
    // Nobody finds it any more but by its mappings, and those who do see that it has ended.
    if (has_one_reference()) remove_all();
}

void Space::remove_all() { remove_all(Manner::removal); }

void Space::remove_all(Manner manner) {
    if (!table_) return;
    {
        LockGuard guard(lock_);
        if (!ended_) expect_sound();
        // Calls that are at work see this at their next step and enter nothing any more.
        ended_ = true;
    }
    // All that the top table reaches, so that its tables go too.
    const std::uint64_t reach = is_guest() ? std::uint64_t(personality_index) << 39 : std::uint64_t(1) << 39;
    for (Walk walk(half_.begin, half_.begin + reach); !walk.done(); relax(manner)) {
        LockGuard guard(lock_);
        const DeferredEnds deferred;
        [[clang::uninitialized]] TableBatch batch(*this);
        walk.work = work_of_step();
        (void)tables(batch).unmap(walk);
    }
    for (bool more = true; more; relax(manner)) {
        LockGuard guard(lock_);
        const DeferredEnds deferred;
        for (unsigned i = 0; i < step_mappings && !mappings_.empty(); ++i) remove_mapping(*mappings_.first());
        more = !mappings_.empty();
        emptied_ = !more;
    }
}

void Space::relax(Manner manner) {
    if (manner == Manner::at_once) return;
    // The step by itself, and the ends that it brought by themselves.
    preemption_point();
    end_some_of_the_dying();
    preemption_point();
}

// --- work in steps

base::Result<void> Space::begin_work(RangeWork& work, const LeaseHold& hold) {
    for (unsigned attempt = 0;; wait_for_turn(attempt++)) {
        if (caller_ends()) return std::unexpected(abi::Error::canceled);
        LockGuard guard(lock_);
        if (ended_) return std::unexpected(abi::Error::bad_state);
        if (!hold.valid()) return std::unexpected(abi::Error::revoked);
        bool free = true;
        unsigned others = 0;
        for (const RangeWork& other : works_) {
            ++others;
            if (other.overlaps(work.range) || other.overlaps(work.target)) free = false;
        }
        if (!free || others >= works_at_once) continue;
        // What takes something from a mapping follows a move by `work_on`, which needs the mapping to lie within the range from the first moment on.
        if (work.target.end != 0 && !base::weakened(base::Weakness::move_cut)) {
            [[clang::uninitialized]] TableBatch batch(*this);
            TRY(cut_at_edges(batch, work.range));
        }
        works_.push_back(work);
        return {};
    }
}

void Space::end_work(RangeWork& work) {
    LockGuard guard(lock_);
    works_.remove(work);
}

bool Space::hidden(std::uint64_t address) const {
    for (const RangeWork& work : works_) {
        if (work.hides && work.overlaps({address, address + 1})) return true;
    }
    return false;
}

Space::RangeWork Space::work_on(const Mapping& mapping, bool hides) const {
    const Range range{mapping.begin, mapping.end};
    for (const RangeWork& work : works_) {
        if (work.target.end == 0 || !work.range.contains(range)) continue;
        const std::uint64_t distance = work.target.begin - work.range.begin;
        return RangeWork(range, hides, {range.begin + distance, range.end + distance});
    }
    return RangeWork(range, hides);
}

// --- mappings

Mapping* Space::find_mapping(std::uint64_t address) {
    Mapping* mapping = mappings_.lower_bound(address + 1);
    return mapping && mapping->begin <= address ? mapping : nullptr;
}

bool Space::overlaps_mapping(Range range) {
    const Mapping* mapping = mappings_.lower_bound(range.begin + 1);
    return mapping && mapping->begin < range.end;
}

Mapping* Space::first_within(Range range) {
    Mapping* mapping = mappings_.lower_bound(range.begin + 1);
    if (mapping && mapping->begin < range.begin) mapping = mappings_.next(*mapping);
    return mapping && mapping->end <= range.end ? mapping : nullptr;
}

base::Result<void> Space::insert_mapping(Mapping& mapping, Mapping* origin) {
    const bool shared = mapping.kind == Mapping::Kind::shared;
    if (shared) TRY(mapping.memory->add_mapping(mapping, origin));
    if (mapping.hold.lease && !mapping.link(*mapping.hold.lease, mapping.hold.generation)) {
        if (shared) mapping.memory->remove_mapping(mapping);
        return std::unexpected(abi::Error::revoked);
    }
    mapping.live = true;
    mappings_.insert(mapping);
    return {};
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
    rest->end = std::exchange(mapping->end, address);
    rest->offset = mapping->offset + (address - mapping->begin);
    rest->protection = mapping->protection;
    rest->allowed = mapping->allowed;
    rest->counted = mapping->counted;
    if (!insert_mapping(*rest, mapping)) {
        // Revoked meanwhile: the whole mapping is about to be dropped by the revocation, and a range without a record would be left over.
        mapping->end = rest->end;
        rest->release();
        return std::unexpected(abi::Error::no_memory);
    }
    return {};
}

base::Result<void> Space::cut_at_edges(TableBatch& batch, Range range) {
    // The marks first: what takes all of a mapping away must not have to cut one, for that can fail.
    TRY(tables(batch).split(range.begin));
    TRY(tables(batch).split(range.end));
    TRY(split_at(range.begin));
    return split_at(range.end);
}

// --- faults

namespace {

struct FirstAccess {
    std::uint64_t* table(std::uint64_t physical) const { return direct<std::uint64_t>(physical); }
    std::uint64_t allocate_frame() const { return allocate_page(quota); }
    Quota& quota;
};

} // namespace

base::Result<std::uint64_t> Space::resolve_locked(TableBatch& batch, std::uint64_t address, abi::Protection access) {
    auto table = tables(batch);
    const auto resolved = table.resolve(address, access);
    if (resolved || resolved.error() != abi::Error::bad_pointer || table.look_up(address) != 0) return resolved;
    Mapping* mapping = find_mapping(address);
    if (!mapping || mapping->kind != Mapping::Kind::shared || mapping->closing) return resolved;
    const bool allowed = access == abi::protection::read ? mapping->protection != 0 : (mapping->protection & access) != 0;
    if (!allowed) return resolved;
    const std::uint64_t page = (mapping->offset + (address - mapping->begin)) / abi::page_size;
    auto frame = mapping->memory->take_frame(page, false);
    const bool fresh = !frame && frame.error() == abi::Error::not_found;
    if (fresh) frame = mapping->memory->take_frame(page, true);
    // Past the Memory's end is as good as not mapped.
    if (!frame) return std::unexpected(frame.error() == abi::Error::no_memory ? abi::Error::no_memory : abi::Error::bad_pointer);
    const std::uint64_t flags = PageTable<TableBatch>::shared_flags(mapping->protection, mapping->allowed);
    if (auto entered = table.map(address & ~(abi::page_size - 1), *frame, flags); !entered) {
        frames::release(*frame);
        return std::unexpected(entered.error());
    }
    // Who is the first to use a page will seldom find others beside it.
    if (!fresh) enter_around(batch, *mapping, address, flags);
    return *frame;
}

void Space::enter_around(TableBatch& batch, const Mapping& mapping, std::uint64_t address, std::uint64_t flags) {
    // Never past the fault's own table, which is there.
    static_assert(512 % pages_of_fault == 0);
    constexpr std::uint64_t bytes = pages_of_fault * abi::page_size;
    const std::uint64_t begin = address & ~(bytes - 1);
    const Range around{std::max(begin, mapping.begin), std::min(begin + bytes, mapping.end)};
    // What is in work may be behind it already where it takes pages out.
    for (const RangeWork& work : works_) {
        if (work.overlaps(around)) return;
    }
    mapping.memory->take_several([&](auto&& take) {
        tables(batch).fill(around.begin, around.end, flags,
                           [&](std::uint64_t at) { return take((mapping.offset + (at - mapping.begin)) / abi::page_size); });
    });
}

base::Result<void> Space::resolve(std::uint64_t address, abi::Protection access) {
    if (!contains(address, 1)) return std::unexpected(abi::Error::bad_pointer);
    {
        LockGuard guard(lock_);
        // Most faults are these, and need no batch.
        FirstAccess environment{*quota_};
        if (!ended_ && works_.empty() && PageTable<FirstAccess>(environment, table_, top_level()).resolve_first_access(address, access) != 0) [[likely]]
            return {};
    }
    return resolve_others(address, access);
}

base::Result<void> Space::resolve_others(std::uint64_t address, abi::Protection access) {
    for (unsigned attempt = 0;; wait_for_turn(attempt++)) {
        LockGuard guard(lock_);
        if (ended_) return std::unexpected(abi::Error::bad_pointer);
        if (hidden(address)) continue;
        [[clang::uninitialized]] TableBatch batch(*this);
        TRY(resolve_locked(batch, address, access));
        return {};
    }
}

base::Result<std::uint64_t> Space::take_page(std::uint64_t address, abi::Protection access, bool* shared) {
    if (!contains(address, 1)) return std::unexpected(abi::Error::bad_pointer);
    for (unsigned attempt = 0;; wait_for_turn(attempt++)) {
        LockGuard guard(lock_);
        if (ended_) return std::unexpected(abi::Error::bad_pointer);
        if (hidden(address)) continue;
        [[clang::uninitialized]] TableBatch batch(*this);
        const std::uint64_t frame = TRY(resolve_locked(batch, address, access));
        const std::uint64_t entered = tables(batch).look_up(address);
        if (entered & entry::device) return std::unexpected(abi::Error::bad_pointer);
        if (shared) *shared = !(entered & entry::private_copy);
        frames::retain(frame);
        return frame;
    }
}

base::Result<std::uint64_t> Space::translate(std::uint64_t address) {
    LockGuard guard(lock_);
    [[clang::uninitialized]] TableBatch batch(*this);
    const std::uint64_t found = tables(batch).look_up(address);
    if (!(found & entry::present) || (found & (entry::device | entry::mark))) return std::unexpected(abi::Error::bad_pointer);
    return (found & entry::address_mask) | (address % abi::page_size);
}

// --- ThreadPages

base::Result<std::uint64_t> Space::add_thread_page(std::uint64_t& address) {
    const std::uint64_t frame = allocate_charged(*quota_);
    if (!frame) return std::unexpected(abi::Error::no_memory);
    constexpr abi::Protection protection = abi::protection::read | abi::protection::write;
    // The program can have filled the place with what it mapped itself: looked through in steps.
    constexpr unsigned looks_of_step = 256;
    std::uint64_t begin = 0;
    for (;; preemption_point()) {
        LockGuard guard(lock_);
        if (begin == 0) address = begin = next_thread_page_;
        [[clang::uninitialized]] TableBatch batch(*this);
        auto table = tables(batch);
        bool taken = true;
        for (unsigned looks = 0; taken && (looks < looks_of_step || base::weakened(base::Weakness::unbounded_step)); ++looks) {
            std::uint64_t bytes = abi::page_size;
            taken = half_.contains(address, abi::page_size) && table.look_up(address, bytes) != 0;
            if (taken) address = (address | (bytes - 1)) + 1 - abi::page_size;
            // What is mapped and not used yet is the program's too.
            if (const Mapping* const mapping = taken ? nullptr : find_mapping(address)) {
                taken = true;
                address = mapping->end - abi::page_size;
            }
            // One walk over all works is as much as many looks into a table.
            if (!taken && hidden(address)) {
                taken = true;
                looks = looks_of_step;
            }
            if (taken) address += abi::page_size;
        }
        if (taken) {
            if (!caller_ends()) continue;
            frames::release(frame);
            return std::unexpected(abi::Error::no_memory);
        }
        // Behind the last place: below where the search began is what the program gave up itself.
        if (!half_.contains(address, abi::page_size) && begin != abi::thread_pages_base) {
            next_thread_page_ = address = begin = abi::thread_pages_base;
            continue;
        }
        // One reference is the thread's, the other the mapping's.
        if (!base::weakened(base::Weakness::page_pin)) frames::retain(frame);
        const bool room = half_.contains(address, abi::page_size) && !ended_;
        if (!room || !table.map(address, frame, PageTable<TableBatch>::shared_flags(protection, protection))) {
            frames::release(frame);
            frames::release(frame);
            return std::unexpected(abi::Error::no_memory);
        }
        // A page below may have been removed meanwhile.
        if (next_thread_page_ == begin) next_thread_page_ = address + abi::page_size;
        count_thread_pages(1);
        return frame;
    }
}

void Space::remove_thread_page(std::uint64_t address, std::uint64_t frame) {
    LockGuard guard(lock_);
    [[clang::uninitialized]] TableBatch batch(*this);
    // The process may have mapped something else there.
    if ((tables(batch).look_up(address) & entry::address_mask) != frame) return;
    (void)tables(batch).unmap(address, address + abi::page_size);
    count_thread_pages(-1);
    next_thread_page_ = std::min(next_thread_page_, address);
}

// --- for Memory and leases

// New work waits for theirs, so what is in work now stays where work_on saw it. But it goes on: what it takes out of the mapping, and gives to others, is not the mapping's any more.

// What the mapping has now of the range that was its own when the work on it began, or of where a move brought that.
Space::Range Space::part_of(const Mapping& mapping, const RangeWork& work, bool target) const {
    const Range& range = target ? work.target : work.range;
    if (!mapping.live) return {range.end, range.end};
    std::uint64_t begin = mapping.begin, end = mapping.end;
    const std::uint64_t distance = work.target.begin - work.range.begin;
    // By its end: of a shrink the work begins within the mapping.
    const bool at_target = work.target.end != 0 && work.target.begin < end && end <= work.target.end;
    if (target && !at_target) {
        begin += distance;
        end += distance;
    } else if (!target && at_target) {
        begin -= distance;
        end -= distance;
    }
    return {std::max(begin, range.begin), std::min(end, range.end)};
}

template <class Step> void Space::take_away(const Mapping& mapping, const RangeWork& work, Step&& step) {
    linger_beside_call(8);
    // Where a move is under way the pages go from the range to the target.
    for (const bool target : {false, true}) {
        std::uint64_t at = target ? work.target.begin : work.range.begin;
        (void)in_steps(Manner::removal, [&](TableBatch& batch) -> base::Result<bool> {
            lock_.assert_held();
            const Range part = base::weakened(base::Weakness::move_cut) ? target ? work.target : work.range : part_of(mapping, work, target);
            Walk walk(std::max(at, part.begin), part.end, work_of_step());
            if (walk.done()) return true;
            auto table = tables(batch);
            step(table, walk);
            at = walk.at;
            return walk.done();
        });
    }
}

void Space::drop_past(Mapping& mapping, std::uint64_t size) {
    RangeWork work({}, false);
    {
        LockGuard guard(lock_);
        if (!mapping.live) return;
        const std::uint64_t mapped = mapping.end - mapping.begin;
        const std::uint64_t keep = size > mapping.offset ? std::min(size - mapping.offset, mapped) : 0;
        if (keep == mapped) return;
        const RangeWork whole = work_on(mapping, false);
        work.range = {whole.range.begin + keep, whole.range.end};
        if (whole.target.end) work.target = {whole.target.begin + keep, whole.target.end};
        works_.push_back(work);
    }
    // Entries of a shared mapping are single pages, so nothing has to be split and this cannot fail.
    take_away(mapping, work, [](auto& table, Walk& walk) { (void)table.unmap(walk); });
    end_work(work);
}

void Space::drop_write(Mapping& mapping) {
    RangeWork work({}, false);
    {
        LockGuard guard(lock_);
        if (!mapping.live) return;
        mapping.protection &= ~abi::protection::write;
        mapping.allowed &= ~abi::protection::write;
        const RangeWork whole = work_on(mapping, false);
        work.range = whole.range;
        work.target = whole.target;
        works_.push_back(work);
    }
    take_away(mapping, work, [](auto& table, Walk& walk) {
        table.for_each_page(walk, [](std::uint64_t, std::uint64_t value) { return value & ~(entry::writable | entry::allow_write); });
    });
    LockGuard guard(lock_);
    works_.remove(work);
    if (mapping.live) mapping.memory->end_write(mapping);
}

void Space::drop(Mapping& mapping) {
    RangeWork work({}, true);
    {
        LockGuard guard(lock_);
        if (!mapping.live) return;
        mapping.closing = true;
        ++drops_;
        const RangeWork whole = work_on(mapping, true);
        work.range = whole.range;
        work.target = whole.target;
        works_.push_back(work);
    }
    take_away(mapping, work, [](auto& table, Walk& walk) { (void)table.unmap(walk); });
    LockGuard guard(lock_);
    const DeferredEnds deferred;
    works_.remove(work);
    if (mapping.live) remove_mapping(mapping);
}

} // namespace kernel
