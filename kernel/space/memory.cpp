#include "kernel/space/memory.hpp"

#include <algorithm>
#include <cstring>

#include "kernel/memory/frames.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/space/space.hpp"
#include "kernel/core/grace.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t page_size = abi::page_size;

// What is done between two preemption points: some 30,000 instructions.
constexpr unsigned pages_of_step = 32; // filled with zeros
constexpr std::uint64_t truncation_of_step = 3 * PageMap::least_work;
constexpr unsigned mappings_of_step = 64; // passed over

bool ends_step(std::uint64_t page) { return page % pages_of_step == pages_of_step - 1 && !base::weakened(base::Weakness::unbounded_step); }

} // namespace

Memory::Memory(Quota& quota) : Object(object_kind), quota_(quota) {}

Memory::~Memory() { release_frames(false); }

void Memory::release_frames(bool in_steps) {
    lock_.assume_held(); // nobody refers to it
    while (!drop_some_frames(0)) {
        if (in_steps) preemption_point();
    }
    if (!run_ || fixed_) return;
    for (std::uint64_t page = 0; page < pages_; ++page) {
        frames::release(run_ + page * page_size);
        if (in_steps && ends_step(page)) preemption_point();
    }
    run_ = 0;
}

base::Result<base::Ref<Memory>> Memory::create(Quota& quota, std::uint64_t size, std::uint32_t flags, const LeaseHold& hold) {
    if (size == 0 || (flags & ~(abi::memory_flag::contiguous | abi::memory_flag::populate))) {
        return std::unexpected(abi::Error::bad_argument);
    }
    if (size > max_pages * page_size) return std::unexpected(abi::Error::too_large);
    auto memory = TRY(make_object<Memory>(quota, quota));
    memory->lock_.assume_held(); // nobody knows it yet
    const std::uint64_t pages = (size + page_size - 1) / page_size;
    if (flags & abi::memory_flag::contiguous) {
        if (!quota.charge_pages(pages)) return std::unexpected(abi::Error::no_memory);
        const std::uint64_t run = frames::reserve_run(pages);
        if (!run) {
            quota.release_pages(pages);
            return std::unexpected(abi::Error::no_memory);
        }
        for (std::uint64_t page = 0; page < pages; ++page) {
            frames::begin_use(run + page * page_size);
            charge_frame(quota, run + page * page_size);
            if (ends_step(page)) preemption_point();
        }
        memory->run_ = run;
        memory->contiguous_ = true;
        memory->committed_ = pages;
    }
    memory->pages_ = pages;
    if (!hold.valid()) return std::unexpected(abi::Error::revoked);
    if (!(flags & abi::memory_flag::contiguous) && (flags & abi::memory_flag::populate)) {
        for (std::uint64_t page = 0; page < pages; ++page) {
            frames::release(TRY(memory->take_frame(page, true)));
            if (!ends_step(page)) continue;
            preemption_point();
            if (!hold.valid()) return std::unexpected(abi::Error::revoked);
            if (caller_ends()) return std::unexpected(abi::Error::canceled);
        }
    }
    return memory;
}

base::Result<base::Ref<Memory>> Memory::create_slice(Quota& quota, base::Ref<Memory> origin, std::uint64_t offset, std::uint64_t size) {
    // Its size stays only from the seal on.
    const bool sealed = origin->sealed();
    const std::uint64_t whole = origin->size();
    if (size == 0 || offset % page_size || offset > whole || size > whole - offset) return std::unexpected(abi::Error::bad_argument);
    if (!sealed) return std::unexpected(abi::Error::bad_state);
    auto slice = TRY(make_object<Memory>(quota, quota));
    slice->lock_.assume_held(); // nobody knows it yet
    slice->pages_ = (size + page_size - 1) / page_size;
    slice->sealed_ = true;
    // A slice of a slice shows the same frames: it names the one that has them, so look-ups never walk a chain.
    slice->origin_page_ = offset / page_size + origin->origin_page_;
    slice->origin_ = origin->origin_ ? origin->origin_ : std::move(origin);
    return slice;
}

base::Result<base::Ref<Memory>> Memory::create_fixed(Quota& quota, std::uint64_t physical, std::uint64_t size, bool sealed) {
    auto memory = TRY(make_object<Memory>(quota, quota));
    memory->lock_.assume_held(); // nobody knows it yet
    memory->run_ = physical;
    memory->pages_ = (size + page_size - 1) / page_size;
    memory->committed_ = memory->pages_;
    memory->fixed_ = true;
    memory->sealed_ = sealed;
    memory->constant_ = sealed;
    // One reference for good: a mapping's end must not give such a frame to the allocator.
    for (std::uint64_t page = 0; page < memory->pages_; ++page) frames::retain(physical + page * page_size);
    return memory;
}

std::uint64_t Memory::frame_of(std::uint64_t page) const { return run_ ? run_ + page * page_size : map_.get(page); }

base::Result<std::uint64_t> Memory::take_frame(std::uint64_t page, bool commit) {
    if (origin_) {
        lock_.assume_held(); // its size stays
        if (page >= pages_) return std::unexpected(abi::Error::bad_argument);
        return origin_->take_frame(origin_page_ + page, commit);
    }
    LockGuard guard(lock_);
    if (page >= pages_) return std::unexpected(abi::Error::bad_argument);
    std::uint64_t frame = frame_of(page);
    if (!frame) {
        if (!commit) return std::unexpected(abi::Error::not_found);
        frame = allocate_charged(*quota_);
        if (!frame) return std::unexpected(abi::Error::no_memory);
        const auto allocate_node = [this]() -> void* {
            const std::uint64_t node = allocate_charged(*quota_);
            return node ? direct(node) : nullptr;
        };
        if (!map_.set(page, frame, allocate_node)) {
            frames::release(frame);
            return std::unexpected(abi::Error::no_memory);
        }
        ++committed_;
    }
    frames::retain(frame);
    return frame;
}

std::uint64_t Memory::next_committed(std::uint64_t page) {
    if (origin_) {
        const std::uint64_t found = origin_->next_committed(origin_page_ + page);
        return found - origin_page_;
    }
    if (run_) return page;
    constexpr std::uint64_t words = 256;
    LockGuard guard(lock_);
    return map_.next(page, words);
}

bool Memory::drop_some_frames(std::uint64_t first_page) {
    const std::uint64_t work = base::weakened(base::Weakness::unbounded_step) ? UINT64_MAX : truncation_of_step;
    return map_.truncate(
        first_page, work,
        [this](std::uint64_t frame) {
            lock_.assume_held(); // as around it
            frames::release(frame);
            --committed_;
        },
        [](void* node) { frames::release(physical_of(node)); });
}

base::Result<void> Memory::read(std::uint64_t offset, std::span<std::byte> buffer) {
    if (offset > size() || buffer.size() > size() - offset) return std::unexpected(abi::Error::bad_argument);
    while (!buffer.empty()) {
        const std::uint64_t within = offset % page_size;
        const std::size_t part = std::min<std::uint64_t>(buffer.size(), page_size - within);
        const auto frame = take_frame(offset / page_size, false);
        if (frame) {
            std::memcpy(buffer.data(), direct<std::byte>(*frame) + within, part);
            frames::release(*frame);
        } else if (frame.error() == abi::Error::not_found) {
            std::memset(buffer.data(), 0, part);
        } else {
            return std::unexpected(frame.error());
        }
        offset += part;
        buffer = buffer.subspan(part);
    }
    return {};
}

base::Result<void> Memory::write(std::uint64_t offset, std::span<const std::byte> buffer) {
    if (offset > size() || buffer.size() > size() - offset) return std::unexpected(abi::Error::bad_argument);
    while (!buffer.empty()) {
        const std::uint64_t within = offset % page_size;
        const std::size_t part = std::min<std::uint64_t>(buffer.size(), page_size - within);
        const std::uint64_t frame = TRY(take_frame(offset / page_size, true));
        {
            // Under the lock that seal takes: after seal has returned nothing changes any more. Nor does what is executed.
            LockGuard guard(lock_);
            if (sealed_ || (executable_mappings_ != 0 && !base::weakened(base::Weakness::alias_execute))) {
                frames::release(frame);
                return std::unexpected(abi::Error::bad_state);
            }
            std::memcpy(direct<std::byte>(frame) + within, buffer.data(), part);
        }
        frames::release(frame);
        offset += part;
        buffer = buffer.subspan(part);
    }
    return {};
}

base::Result<void> Memory::begin_work(const LeaseHold& hold) {
    Turn turn;
    constexpr unsigned soon = 2;
    bool next = false;
    for (unsigned attempt = 0;; attempt = next ? std::min(attempt + 1, soon) : attempt + 1, wait_for_turn(attempt)) {
        LockGuard guard(lock_);
        if (!turn.linked()) turns_[caller_goes_first()].push_back(turn);
        next = &turn == &turns_[turns_[1].empty() ? 0 : 1].front();
        // Of thousands that wait here none is to do its work behind its own end.
        const bool ends = caller_ends(), valid = hold.valid();
        if ((!next || at_work_) && !ends && valid) continue;
        turn.unlink();
        if (ends || !valid) return std::unexpected(ends ? abi::Error::canceled : abi::Error::revoked);
        at_work_ = true;
        return {};
    }
}

void Memory::end_work() {
    LockGuard guard(lock_);
    at_work_ = false;
}

// Calls `function` for every mapping, without the Memory's lock: it takes the space's, which comes first in the order. Mappings that come meanwhile see the new state of the
// Memory by themselves, but for what is taken from one that the walk has still before it. One that goes meanwhile is kept by a reference and says that it is not live.
// With the turn that begin_work gives.
template <class Function>
void Memory::for_each_mapping(Function&& function) {
    {
        LockGuard guard(lock_);
        side_ = !side_;
    }
    const bool unbounded = base::weakened(base::Weakness::unbounded_step);
    for (;;) {
        Mapping* mapping = nullptr;
        base::Ref<Space> space; // outlives the reference to the mapping
        {
            LockGuard guard(lock_);
            for (unsigned i = 0; !mapping && (unbounded || i < mappings_of_step); ++i) {
                if (mappings_[!side_].empty()) return;
                Mapping& first = mappings_[!side_].front();
                if (first.space.try_retain()) {
                    space = base::Ref<Space>::adopt(first.space);
                    first.retain();
                    mapping = &first;
                } else {
                    pass(first);
                }
            }
        }
        if (mapping) {
            function(*mapping);
            {
                // Before it until here: it may have been split before the function had its space's lock, and the new part is the walk's as well.
                LockGuard guard(lock_);
                if (static_cast<base::ListNodeOf<InMemory>&>(*mapping).linked()) pass(*mapping);
            }
            mapping->release();
        }
        space.reset();
        if (!unbounded) preemption_point();
    }
}

void Memory::pass(Mapping& mapping) {
    mappings_[!side_].remove(mapping);
    mappings_[side_].push_back(mapping);
}

base::Result<void> Memory::resize(std::uint64_t size, const LeaseHold& hold) {
    if (size > max_pages * page_size) return std::unexpected(abi::Error::bad_argument);
    const std::uint64_t pages = (size + page_size - 1) / page_size;
    TRY(begin_work(hold));
    bool shrinks = false;
    {
        LockGuard guard(lock_);
        if (!hold.valid() || sealed_ || contiguous_ || fixed_ || pinned_by_ || origin_) {
            at_work_ = false;
            return std::unexpected(hold.valid() ? abi::Error::bad_state : abi::Error::revoked);
        }
        shrinks = pages < pages_;
        // From here on no page past the end is entered anywhere.
        __atomic_store_n(&pages_, pages, __ATOMIC_RELEASE);
    }
    if (shrinks) {
        for_each_mapping([&](Mapping& mapping) { mapping.space.drop_past(mapping, pages * page_size); });
        for (bool more = true; more; preemption_point()) {
            LockGuard guard(lock_);
            more = !drop_some_frames(pages);
        }
    }
    end_work();
    return {};
}

base::Result<void> Memory::seal(const LeaseHold& hold) {
    // Once is enough: nothing may be written, and nothing will.
    if (hold.valid() && __atomic_load_n(&constant_, __ATOMIC_ACQUIRE)) return {};
    TRY(begin_work(hold));
    bool was_shared = false;
    {
        LockGuard guard(lock_);
        if (!hold.valid() || pinned_by_) {
            at_work_ = false;
            return std::unexpected(hold.valid() ? abi::Error::bad_state : abi::Error::revoked);
        }
        __atomic_store_n(&sealed_, true, __ATOMIC_RELEASE);
        was_shared = was_shared_;
    }
    // No writable mapping can come any more; those that are there lose the right.
    for_each_mapping([](Mapping& mapping) { mapping.space.drop_write(mapping); });
    end_work();
    // The kernel's copies to user memory look a page up under the space's lock and write to it after: one that found its page before may still write, also through a
    // mapping that is gone. None of them is interrupted, so each has ended when its CPU has been outside once.
    if (was_shared && !base::weakened(base::Weakness::seal_grace)) wait_for_grace_period();
    __atomic_store_n(&constant_, true, __ATOMIC_RELEASE);
    return {};
}

base::Result<Memory::Pin> Memory::pin(const Object& owner) {
    LockGuard guard(lock_);
    if (sealed_ || !contiguous_ || executable_mappings_ != 0 || (pinned_by_ && pinned_by_ != &owner)) return std::unexpected(abi::Error::bad_state);
    const bool fresh = !pinned_by_;
    pinned_by_ = &owner;
    return Pin{run_, fresh};
}

void Memory::unpin() {
    LockGuard guard(lock_);
    pinned_by_ = nullptr;
}

void Memory::inspect(abi::MemoryInfo& info) {
    LockGuard guard(lock_);
    info.size = pages_ * page_size;
    info.frames = committed_;
    info.sealed = sealed_;
    info.contiguous = contiguous_;
}

bool Memory::has_writable_mapping() {
    LockGuard guard(lock_);
    return writable_mappings_ != 0;
}

abi::Protection Memory::clash(const Sharers& without, bool origin_written) const {
    if (base::weakened(base::Weakness::alias_execute)) return 0;
    abi::Protection clash = 0;
    if (executable_mappings_ > without.executable) clash |= abi::protection::write;
    if (writable_mappings_ > without.writable || origin_written || pinned_by_) clash |= abi::protection::execute;
    return clash;
}

void Memory::count_sharer(const Mapping& mapping, Sharers& sharers) {
    LockGuard guard(lock_);
    if (mapping.counted & abi::protection::write) ++sharers.writable;
    if (mapping.counted & abi::protection::execute) ++sharers.executable;
}

base::Result<void> Memory::check_sharing(abi::Protection protection, const Sharers& without) {
    const bool origin_written = origin_ && origin_->has_writable_mapping();
    LockGuard guard(lock_);
    const abi::Protection refused = clash(without, origin_written) | (sealed_ ? abi::protection::write : 0);
    if (protection & refused) return std::unexpected(abi::Error::bad_state);
    return {};
}

base::Result<void> Memory::add_mapping(Mapping& mapping, Mapping* origin) {
    // The origin of a slice is sealed, so no writable mapping comes there, but a seal may still be at work on those that were.
    const bool origin_written = origin_ && origin_->has_writable_mapping();
    LockGuard guard(lock_);
    const abi::Protection clash = this->clash({}, origin_written);
    if ((mapping.protection | mapping.counted) & clash) {
        mapping.counted = 0;
        return std::unexpected(abi::Error::bad_state);
    }
    mapping.allowed &= ~clash;
    mapping.counted |= mapping.allowed & (abi::protection::write | abi::protection::execute);
    if (mapping.counted & abi::protection::write) ++writable_mappings_;
    if (mapping.counted & abi::protection::execute) ++executable_mappings_;
    was_shared_ = true;
    if (origin) {
        mappings_[side_].insert_before(*origin, mapping);
    } else {
        mappings_[side_].push_back(mapping);
    }
    return {};
}

void Memory::remove_mapping(Mapping& mapping) {
    LockGuard guard(lock_);
    uncount(mapping, mapping.counted);
    mappings_[side_].remove(mapping);
}

void Memory::end_write(Mapping& mapping) {
    LockGuard guard(lock_);
    uncount(mapping, mapping.counted & abi::protection::write);
}

void Memory::uncount(Mapping& mapping, abi::Protection protection) {
    if (protection & abi::protection::write) --writable_mappings_;
    if (protection & abi::protection::execute) --executable_mappings_;
    mapping.counted &= ~protection;
}

} // namespace kernel
