// Space: one half of an address space, and what is mapped there. The personality half belongs to a process; guest halves are made by the process and attached to its threads.
#pragma once
#include <cstdint>

#include "kernel/core/halves.hpp"
#include "kernel/core/tlb_state.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/space/mapping.hpp"
#include "kernel/space/memory.hpp"
#include "kernel/object/object.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

class TableBatch;
template <class Environment> class PageTable;
struct Walk;

// Two page-table roots lead to a guest half: the guest's (that half alone) and the personality's (with the personality half, and the guest half not executable). A fused
// space has one root for both. The personality half is a table of the third level, shared by all roots of its process.
//
// What may be long is done in steps, with the lock given up between them. The range in work is announced (RangeWork): other calls that touch it wait, so whoever took it
// finds in it what it left there, but for what the ends of leases, seal and shrink take away; those never wait. At every unlock what a table shows of a Memory or device
// is covered by a live mapping (or by one's counterpart in a move), so they find all there is.
//
// Two spaces are never locked at once, but for a fork's copy that nobody else can lock.
class Space final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::space;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::map;

    // `sandbox`: of the process, the number of the first one that has its audit account. Errors: no_memory.
    static base::Result<base::Ref<Space>> create_personality(Quota& quota, std::uint64_t process_number, std::uint64_t sandbox);
    static base::Result<base::Ref<Space>> create_guest(Quota& quota, base::Ref<Space> personality, bool fused);

    Space(Quota& quota, Half half, std::uint64_t process_number, bool fused);
    ~Space() override;

    bool contains(std::uint64_t address, std::uint64_t length) const {
        return half_.contains(address, length) || base::weakened(base::Weakness::native_pointer);
    }
    // Or a personality half.
    bool is_guest() const { return half_.begin == 0; }
    Quota& quota() const { return *quota_; }
    // Whether a page of a device was ever mapped here. The kernel's own access never goes there: reading may change what a device does, and takes as long as it likes.
    bool has_devices() const { return arch::holds(has_devices_, true); }
    // What CR3 holds while a guest runs, and while its personality does.
    const RootPair& roots() const { return roots_; }
    // Of a guest half: the half of the sandbox that it is in; else null.
    const Space* personality() const { return personality_.get(); }
    // What TLBs may know of this half.
    TranslatedHalf& translated() { return translated_; }
    std::uint64_t process_number() const { return process_number_; }
    std::uint64_t sandbox() const { return sandbox_; }
    // Errors: wrong_kind (a personality half), bad_state (another process').
    base::Result<void> check_attach(std::uint64_t process_number) const;

    // --- the calls; see kernel.abi
    // `hold` is that of the capability by which the space was named: a call that has waited for others' work begins only where it still stands. Empty where there is none.
    // An empty `memory` is anonymous. Errors: bad_argument, missing_right, revoked, exists, no_memory, bad_state.
    base::Result<void> map(const Held<Memory>& memory, std::uint64_t address, std::uint64_t offset, std::uint64_t length, std::uint32_t flags, const LeaseHold& hold = {});
    base::Result<void> map_device(std::uint64_t physical, std::uint64_t size, const LeaseHold& hold, std::uint64_t address, abi::Protection protection);
    base::Result<void> unmap(std::uint64_t address, std::uint64_t length, const LeaseHold& hold = {});
    base::Result<void> protect(std::uint64_t address, std::uint64_t length, abi::Protection protection, const LeaseHold& hold = {});
    base::Result<void> move(std::uint64_t from, std::uint64_t to, std::uint64_t length, const LeaseHold& hold = {});
    base::Result<base::Ref<Space>> fork(Quota& quota, base::Ref<Space> personality, const LeaseHold& hold = {});
    // At the process' end: everything goes.
    void remove_all();

    // --- faults and the kernel's own access
    // Makes the access possible where what is mapped allows it. Errors: bad_pointer, no_memory.
    base::Result<void> resolve(std::uint64_t address, abi::Protection access);
    // The same; gives the frame with a reference for the caller. Errors: bad_pointer (device ranges too), no_memory.
    base::Result<std::uint64_t> take_page(std::uint64_t address, abi::Protection access) { return take_page(address, access, nullptr); }
    // The same; tells where not null whether the page is what all who map it share, no private one that a write may replace by a copy.
    base::Result<std::uint64_t> take_page(std::uint64_t address, abi::Protection access, bool* shared);
    // The physical address of what is readable there now. Errors: bad_pointer.
    base::Result<std::uint64_t> translate(std::uint64_t address);

    // --- ThreadPages
    // A new page at the next free place; gives its frame, with a reference for the thread. Errors: no_memory.
    base::Result<std::uint64_t> add_thread_page(std::uint64_t& address);
    void remove_thread_page(std::uint64_t address, std::uint64_t frame);

    // --- for Memory and leases; without locks
    // Pages of the mapping past `size` bytes of the Memory go.
    void drop_past(Mapping& mapping, std::uint64_t size);
    // The mapping's pages become read-only for good.
    void drop_write(Mapping& mapping);
    // The mapping goes.
    void drop(Mapping& mapping);

private:
    // Whoever closed the last slot of a space that nobody else has ends it here, without locks and so in steps.
    void on_slots_gone() override;
    bool ends_long() const override {
        lock_.assume_held(); // nobody refers to it
        return table_ && !emptied_;
    }
    void end_in_steps() override { remove_all(); }

    friend class TableBatch;
    struct Range {
        std::uint64_t begin;
        std::uint64_t end;
        bool overlaps(const Range& other) const { return begin < other.end && other.begin < end; }
        bool contains(const Range& other) const { return begin <= other.begin && other.end <= end; }
    };
    // Lives on the stack of the call that is at work. `target`: of a move, as long as `range`; else empty.
    struct RangeWork : base::ListNode {
        RangeWork(Range range, bool hides, Range target = Range{0, 0}) : range(range), target(target), hides(hides) {}
        bool overlaps(const Range& other) const { return range.overlaps(other) || target.overlaps(other); }
        Range range;
        Range target;
        bool hides; // accesses wait as well
    };
    // Announces a call's work; waits for other work there, and where there is too much elsewhere. Errors: bad_state (the space has ended), revoked, canceled (the caller ends); of a move no_memory,
    // for no mapping reaches across its range's edges from then on. Without the lock, as the other members here.
    base::Result<void> begin_work(RangeWork& work, const LeaseHold& hold);
    void end_work(RangeWork& work);
    // How steps follow on each other. A call stops where the space has ended; what takes something away goes on, since it promises that nothing is left when it returns.
    enum class Manner : std::uint8_t { call, removal, at_once };
    // Calls `step(batch)` under the lock until it gives true or an error; the lock is given up in between. Errors: bad_state (the space has ended), and what a step gives.
    template <class Step> base::Result<void> in_steps(Manner manner, Step&& step);
    template <class Step> base::Result<void> in_steps(Step&& step) { return in_steps(Manner::call, step); }
    // The same with a walk over a range: `step(table, walk)`.
    template <class Step> base::Result<void> walk_in_steps(Manner manner, Range range, Step&& step);
    template <class Step> base::Result<void> walk_in_steps(Range range, Step&& step) { return walk_in_steps(Manner::call, range, step); }
    // For every mapping within a range, some at a time.
    template <class Visit> base::Result<void> visit_mappings(Range range, Visit&& visit);
    // Takes everything out of a range that no mapping and no mark reaches across the edges of.
    base::Result<void> clear_range(Range range);
    // Nothing may reach across the edges of the range. Errors: no_memory.
    base::Result<void> cut_edges(Range range);
    base::Result<void> check_empty(Range range);
    base::Result<void> map_range(const Held<Memory>& memory, Range range, std::uint64_t offset, std::uint32_t flags);
    // Whether the Memory may be shared so in place of all that is mapped in the range now. Errors: bad_state.
    base::Result<void> check_sharing(Memory& memory, Range range, abi::Protection protection);
    base::Result<void> enter_private(const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection);
    base::Result<void> map_shared(const Held<Memory>& memory, Range range, std::uint64_t offset, abi::Protection protection);
    base::Result<void> enter_device(std::uint64_t physical, Range range, const LeaseHold& hold, abi::Protection protection);
    // Into the space and its lists, with one more reference, the caller's. Where it fails, the mapping is gone. Errors: bad_state (the space has ended), and those of insert_mapping.
    base::Result<void> publish(Mapping& mapping);
    base::Result<void> protect_range(Range range, abi::Protection protection);
    base::Result<void> move_range(Range source, Range target);
    base::Result<void> copy_mappings(Space& copy);
    // For a mapping that is to lose something: the range, and where a move that is under way has brought part of it.
    RangeWork work_on(const Mapping& mapping, bool hides) const BASE_REQUIRES(lock_);
    Range part_of(const Mapping& mapping, const RangeWork& work, bool target) const BASE_REQUIRES(lock_);
    // `step(table, walk)` for the pages that are still the mapping's.
    template <class Step> void take_away(const Mapping& mapping, const RangeWork& work, Step&& step);
    void remove_all(Manner manner);
    static void relax(Manner manner);
    base::Result<void> create_roots(Space& personality);
    base::Result<Range> check_range(std::uint64_t address, std::uint64_t length) const;
    base::Result<void> check_protection(abi::Protection protection, bool own) const;
    void top_changed(unsigned index, std::uint64_t entry);
    unsigned top_level() const;
    PageTable<TableBatch> tables(TableBatch& batch) const;
    // With KERNEL_CHECKS: halts where the tables show what no mapping says, or are not those that the quota was charged for. What is in work is let be.
    void expect_sound() BASE_REQUIRES(lock_);
    void expect_sound_page(std::uint64_t address, std::uint64_t value, std::uint64_t& without_mapping) BASE_REQUIRES(lock_);
    // The tables of a lower level that this one leads to, themselves too.
    std::uint64_t expect_sound_tables(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t& without_mapping) BASE_REQUIRES(lock_);
    // Tables that were charged for, less those that were given back.
    void count_tables(std::int64_t change) BASE_NO_THREAD_SAFETY_ANALYSIS;
    void count_thread_pages(std::int64_t change) BASE_REQUIRES(lock_);
    // Of an address of this half.
    base::Result<void> resolve_others(std::uint64_t address, abi::Protection access);

    base::Result<std::uint64_t> resolve_locked(TableBatch& batch, std::uint64_t address, abi::Protection access) BASE_REQUIRES(lock_);
    // A fault on a page of a Memory that was there brings in those of its mapping around it that are there as well, in an aligned window of so many. With the mapping's flags,
    // which do not depend on the page.
    static constexpr std::uint64_t pages_of_fault = 16;
    void enter_around(TableBatch& batch, const Mapping& mapping, std::uint64_t address, std::uint64_t flags) BASE_REQUIRES(lock_);
    Mapping* find_mapping(std::uint64_t address) BASE_REQUIRES(lock_);
    bool overlaps_mapping(Range range) BASE_REQUIRES(lock_);
    // The first that lies within the range; null where there is none.
    Mapping* first_within(Range range) BASE_REQUIRES(lock_);
    bool hidden(std::uint64_t address) const BASE_REQUIRES(lock_);
    // Splits marks and mappings so that none crosses the edges of the range. Errors: no_memory.
    base::Result<void> cut_at_edges(TableBatch& batch, Range range) BASE_REQUIRES(lock_);
    base::Result<void> split_at(std::uint64_t address) BASE_REQUIRES(lock_);
    // Errors: revoked (meanwhile), bad_state (it would be written here and executed elsewhere, or the other way).
    // `origin`: the one it is taken from.
    base::Result<void> insert_mapping(Mapping& mapping, Mapping* origin = nullptr) BASE_REQUIRES(lock_);
    void remove_mapping(Mapping& mapping) BASE_REQUIRES(lock_);

    base::Ref<Quota> quota_;
    Half half_;
    std::uint64_t process_number_;
    std::uint64_t sandbox_ = 0;
    bool fused_;
    std::atomic<bool> has_devices_ = false;
    SpinLock lock_{LockRank::space};
    std::uint64_t table_ = 0;       // the top table of this half: the guest root, or the third-level table of the personality half
    RootPair roots_;
    TranslatedHalf translated_;
    base::Ref<Space> personality_; // of a guest half: keeps the table that its root names
    bool ended_ BASE_GUARDED_BY(lock_) = false;           // remove_all is at work or done: nothing is entered any more
    bool emptied_ BASE_GUARDED_BY(lock_) = false;         // remove_all is done
    std::uint32_t drops_ BASE_GUARDED_BY(lock_) = 0;      // mappings that revocation took
#ifdef KERNEL_CHECKS
    std::uint64_t charged_tables_ BASE_GUARDED_BY(lock_) = 0; // below the top one
    std::uint64_t thread_pages_ BASE_GUARDED_BY(lock_) = 0;   // less those that went with their threads
#endif
    std::uint64_t next_thread_page_ BASE_GUARDED_BY(lock_) = abi::thread_pages_base; // where the search begins: below it nothing is free but what the program unmapped
    base::List<RangeWork> works_ BASE_GUARDED_BY(lock_);
    base::Tree<Mapping, MappingEnd, InSpace> mappings_ BASE_GUARDED_BY(lock_);
};

} // namespace kernel
