// Work on a space in steps: how much one does, and the loops around them.
#pragma once
#include "kernel/arch/relax.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/space/space.hpp"
#include "kernel/space/table_batch.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

// What is done under the lock at once: some 30,000 instructions, in the units of Walk, and mappings that go or come.
inline constexpr std::uint64_t step_work = 1024;
inline constexpr unsigned step_mappings = 32;
// How many may be at work on a space where one more call begins: every fault and every other call goes over them. What takes pages away counts too, but never waits.
inline constexpr unsigned works_at_once = 64;

inline std::uint64_t work_of_step() { return base::weakened(base::Weakness::unbounded_step) ? Walk::unlimited : step_work; }

// In a twin alone: widens the gap between two steps of a call, and leaves a seal that began in it behind the call (`parts`: how much of that).
inline void linger_beside_call(unsigned parts) {
    if (!base::weakened(base::Weakness::move_cut)) return;
    for (unsigned i = 0; i < parts * 2000; ++i) arch::relax();
}

// The levels of the top tables.
inline constexpr unsigned guest_level = 3;
inline constexpr unsigned personality_level = 2;

template <class Step> base::Result<void> Space::in_steps(Manner manner, Step&& step) {
    for (;;) {
        {
            LockGuard guard(lock_);
            if (ended_ && manner == Manner::call) return std::unexpected(abi::Error::bad_state);
            const DeferredEnds deferred;
            [[clang::uninitialized]] TableBatch batch(*this);
            if (TRY(step(batch))) return {};
        }
        relax(manner);
    }
}

template <class Step> base::Result<void> Space::walk_in_steps(Manner manner, Range range, Step&& step) {
    Walk walk(range.begin, range.end);
    if (walk.done()) return {};
    return in_steps(manner, [&](TableBatch& batch) -> base::Result<bool> {
        auto table = tables(batch);
        walk.work = work_of_step();
        TRY(step(table, walk));
        return walk.done();
    });
}

template <class Visit> base::Result<void> Space::visit_mappings(Range range, Visit&& visit) {
    return in_steps([&](TableBatch&) -> base::Result<bool> {
        lock_.assert_held();
        for (unsigned i = 0; i < step_mappings; ++i) {
            Mapping* mapping = first_within(range);
            if (!mapping) return true;
            range.begin = mapping->end;
            TRY(visit(*mapping));
        }
        return false;
    });
}

inline unsigned Space::top_level() const { return is_guest() ? guest_level : personality_level; }

inline PageTable<TableBatch> Space::tables(TableBatch& batch) const {
    return PageTable<TableBatch>(batch, table_, top_level());
}

} // namespace kernel
