// Memory: explicit memory that can be mapped, shared, sealed and pinned for devices.
#pragma once
#include <cstdint>
#include <span>

#include "abi/info.hpp"
#include "kernel/space/mapping.hpp"
#include "kernel/object/object.hpp"
#include "kernel/core/page_map.hpp"
#include "kernel/object/capability.hpp"
#include "kernel/object/quota.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "kernel/memory/frames.hpp"
#include "lib/base/list.hpp"

namespace kernel {

struct InIoSpace;

// Where the frames come from decides the kinds: ordinary Memory commits a frame at the first use of each page; contiguous Memory is one run, committed at once; a
// slice has none of its own and shows a window of a sealed Memory; a boot module shows frames that were never free.
//
// What needs its lock and then a space's (seal, shrink) first takes the mappings off the list, then works on the spaces.
class Memory final : public Object, public base::ListNodeOf<InIoSpace> {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::memory;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::read |
                                          abi::right::write | abi::right::execute | abi::right::map | abi::right::control;
    static constexpr std::uint64_t max_pages = PageMap::max_pages;

    // In steps, without locks, where frames are committed at once; `hold` is the quota's and is looked at again between them.
    // Errors: no_memory, bad_argument (size 0, unknown flag), too_large, revoked.
    static base::Result<base::Ref<Memory>> create(Quota& quota, std::uint64_t size, std::uint32_t flags, const LeaseHold& hold = {});
    // A window of a sealed Memory. Errors: bad_argument, bad_state, no_memory.
    static base::Result<base::Ref<Memory>> create_slice(Quota& quota, base::Ref<Memory> origin, std::uint64_t offset, std::uint64_t size);
    // Memory over frames that stay for ever: the boot modules (sealed), the clock page. Page-aligned physical address.
    static base::Result<base::Ref<Memory>> create_fixed(Quota& quota, std::uint64_t physical, std::uint64_t size, bool sealed);

    explicit Memory(Quota& quota);
    ~Memory() override;

    std::uint64_t size() const { return __atomic_load_n(&pages_, __ATOMIC_ACQUIRE) * abi::page_size; }
    bool sealed() const { return __atomic_load_n(&sealed_, __ATOMIC_ACQUIRE); }
    // Sealed, and whoever wrote before has ended. Of a slice: all it shows.
    bool constant() const { return origin_ ? origin_->constant() : __atomic_load_n(&constant_, __ATOMIC_ACQUIRE); }
    bool contiguous() const { return contiguous_; }

    // The frame of a page. With `commit`, a missing frame is allocated, zeroed and charged. A reference to the frame is taken for the caller.
    // Errors: bad_argument (past the end), no_memory, not_found (no frame and no `commit`).
    base::Result<std::uint64_t> take_frame(std::uint64_t page, bool commit);

    // Calls `use(take)` under the lock: take(page) is the frame of a page, with a reference to it taken; 0 where it has none or lies past the end. For a look at a few of them.
    template <class Use> void take_several(Use&& use) {
        Memory& owner = origin_ ? *origin_ : *this;
        LockGuard guard(owner.lock_);
        const std::uint64_t end = size() / abi::page_size;
        use([&](std::uint64_t page) -> std::uint64_t {
            owner.lock_.assert_held();
            const std::uint64_t frame = page < end ? owner.frame_of(origin_page_ + page) : 0;
            if (frame) frames::retain(frame);
            return frame;
        });
    }

    // The first page from `page` on that may have a frame, found by a look at no more than some hundred words; past the end where there is none.
    std::uint64_t next_committed(std::uint64_t page);

    // Errors: bad_argument (range), bad_state (write to what is sealed or shared executable), no_memory. `buffer` is kernel memory.
    base::Result<void> read(std::uint64_t offset, std::span<std::byte> buffer);
    base::Result<void> write(std::uint64_t offset, std::span<const std::byte> buffer);

    // When this returns, what was past the new end is nowhere mapped and its frames are back. In steps; no locks held. `hold` is that of the
    // capability by which it was named, and must stand when its turn comes. Errors: bad_state (sealed, contiguous, slice, pinned), bad_argument (too large), revoked, canceled (the caller ends).
    base::Result<void> resize(std::uint64_t size, const LeaseHold& hold);
    // Nothing changes the content any more when this returns. In steps; no locks held. `hold`: as above. Errors: bad_state (pinned), revoked, canceled.
    base::Result<void> seal(const LeaseHold& hold);

    struct Pin {
        std::uint64_t address;
        bool fresh; // not pinned by `owner` before
    };
    // For devices, which may write: of one owner, which holds a reference until `unpin`. Under the owner's lock. Errors: bad_state (sealed, not contiguous, pinned by another
    // owner, shared executable).
    base::Result<Pin> pin(const Object& owner);
    void unpin();

    void inspect(abi::MemoryInfo& info);

    // For checks: the frame of a page, 0 where there is none, and whether that may be about to change.
    struct Shown {
        std::uint64_t frame;
        bool in_work;
    };
    Shown shown(std::uint64_t page);

    // --- mappings: every place where a space shares this Memory. Called by the space, under its lock.
    // No Memory is written through one mapping and executed through another, whoever has them: what `allowed` has beyond the protection gives way, else bad_state. What is
    // taken from a mapping that is there (a part, a fork's copy) starts with its `counted`, which never clashes,
    // and names that one as its `origin`: as long as a walk has that one before it, it has both.
    base::Result<void> add_mapping(Mapping& mapping, Mapping* origin = nullptr);
    // Mappings that write, and that execute.
    struct Sharers {
        std::uint64_t writable = 0;
        std::uint64_t executable = 0;
    };
    void count_sharer(const Mapping& mapping, Sharers& sharers);
    // Whether add_mapping would take a mapping with this protection if those were not there. Errors: bad_state.
    base::Result<void> check_sharing(abi::Protection protection, const Sharers& without);
    // No page of the mapping is writable any more, and none will be.
    void end_write(Mapping& mapping);
    void remove_mapping(Mapping& mapping);

private:
    bool ends_long() const override {
        lock_.assume_held(); // nobody refers to it
        return !map_.empty() || (run_ && !fixed_);
    }
    void end_in_steps() override { release_frames(true); }
    void release_frames(bool in_steps);
    std::uint64_t frame_of(std::uint64_t page) const BASE_REQUIRES(lock_);
    // Some of the frames from the page on; false where there are more.
    bool drop_some_frames(std::uint64_t first_page) BASE_REQUIRES(lock_);
    // Resize and seal one after the other, as they came, but those of servers first: whose turn it is not sleeps. Errors: canceled (the caller ends), revoked. Without the lock.
    base::Result<void> begin_work(const LeaseHold& hold);
    void end_work();
    bool has_writable_mapping();
    // What a mapping may not be, beside all others but `without`.
    abi::Protection clash(const Sharers& without, bool origin_written) const BASE_REQUIRES(lock_);
    void uncount(Mapping& mapping, abi::Protection protection) BASE_REQUIRES(lock_);

    template <class Function> void for_each_mapping(Function&& function);
    void pass(Mapping& mapping) BASE_REQUIRES(lock_);

    base::Ref<Quota> quota_;
    SpinLock lock_{LockRank::memory};
    PageMap map_ BASE_GUARDED_BY(lock_);
    base::Ref<Memory> origin_;        // of a slice
    std::uint64_t origin_page_ = 0;
    std::uint64_t run_ = 0;           // physical address of a contiguous or fixed run
    std::uint64_t pages_ BASE_GUARDED_BY(lock_) = 0;
    std::uint64_t committed_ BASE_GUARDED_BY(lock_) = 0;
    const Object* pinned_by_ BASE_GUARDED_BY(lock_) = nullptr; // compared alone
    bool sealed_ BASE_GUARDED_BY(lock_) = false;
    bool constant_ = false;
    bool contiguous_ = false;
    bool fixed_ = false;
    bool was_shared_ BASE_GUARDED_BY(lock_) = false; // has had a mapping
    std::uint64_t writable_mappings_ BASE_GUARDED_BY(lock_) = 0;   // never both
    std::uint64_t executable_mappings_ BASE_GUARDED_BY(lock_) = 0;
    struct Turn : base::ListNode {};
    base::List<Turn> turns_[2] BASE_GUARDED_BY(lock_); // who waits in begin_work; [1]: servers
    bool at_work_ BASE_GUARDED_BY(lock_) = false;    // begin_work
    bool side_ BASE_GUARDED_BY(lock_) = false;       // of the mappings that a walk has behind it or that came after its begin; where there is no walk, all
    base::List<Mapping, InMemory> mappings_[2] BASE_GUARDED_BY(lock_);
};

} // namespace kernel
