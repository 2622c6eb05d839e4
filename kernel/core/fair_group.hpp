// Groups of tasks that share what is the group's, in a tree, and who of a CPU's fair band goes next by it. No architecture code and no allocation, so the host tests walk it.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/core/fair_band.hpp"
#include "kernel/core/fair_clock.hpp"

namespace kernel {

// What of one CPU competes with each other: the ready tasks of one group, and those of its child groups that have any. A group competes one level up as a whole, with a virtual time
// of its own, so that nothing that its tasks do, whether they are many, take turns or end soon, gets it more than its part. While one of its tasks runs, a group is in no band.
class FairLevel : public FairNode {
public:
    constexpr FairLevel() : FairNode(true) {}
    // Groups one level down with anything runnable here.
    std::uint32_t groups() const { return groups_; }

private:
    template <std::size_t> friend class FairGroup;

    void place(FairNode& node) {
        node.virtual_time_ = clock_.place(node.virtual_time_);
        ready_.add(node);
    }
    // A group that was never here has not slept.
    void place(FairLevel& level) {
        if (level.is_new_) begin(level);
        place(static_cast<FairNode&>(level));
    }
    void begin(FairLevel& level) {
        level.virtual_time_ = clock_.now();
        level.is_new_ = false;
    }
    // The one that runs has used so much.
    void charge(FairNode& node, std::uint64_t virtual_nanoseconds) { node.virtual_time_ = clock_.charge(node.virtual_time_, virtual_nanoseconds); }
    void advance(const FairNode& running) { clock_.advance(running.virtual_time_, ready_.empty() ? running.virtual_time_ : ready_.first()->virtual_time_); }
    bool has_before(const FairNode& running) const { return !ready_.empty() && FairClock::preempts(ready_.first()->virtual_time_, running.virtual_time_); }

    FairBand ready_;
    FairClock clock_;
    std::uint32_t threads_ = 0; // runnable ones of the group itself
    std::uint32_t groups_ = 0;
    bool runs_ = false; // what runs is of this group, or below it
    bool is_new_ = true;
};

// One group. What is of a CPU is under that CPU's lock, and every function takes its number and its top level: what directly below the root is active there. Nothing takes
// longer than the tree is high, times the logarithm of what is ready.
template <std::size_t cpus> class FairGroup {
public:
    static constexpr std::uint32_t usual_weight = 1024;

    // Below `parent`, which outlives it; null: the root, whose own tasks are a group like those directly below it. A weight is 1 at least.
    FairGroup(FairGroup* parent, std::uint32_t weight) : above_(parent != nullptr && !parent->root_ ? parent : nullptr), root_(parent == nullptr), weight_(weight) {}
    FairGroup(const FairGroup&) = delete;
    FairGroup& operator=(const FairGroup&) = delete;

    // Any lock or none: it tells from the next charge on.
    void set_weight(std::uint32_t weight) { weight_.store(weight, std::memory_order_relaxed); }
    std::uint32_t weight() const { return weight_.load(std::memory_order_relaxed); }

    // --- under the lock of that CPU
    // Among how many a task of the group that is runnable takes turns, if each level has one for each that competes there; at least 1, and `most` where it is more.
    std::uint64_t sharers(const FairLevel& top, std::size_t cpu, std::uint64_t most) const {
        // All own tasks together are one beside child groups.
        std::uint64_t count = std::uint64_t{std::max(levels_[cpu].threads_, std::uint32_t{1})} * (levels_[cpu].groups_ + 1);
        for (const FairGroup* group = this; group->above_ != nullptr && count < most; group = group->above_) {
            const FairLevel& level = group->above_->levels_[cpu];
            count *= std::max(level.groups_ + (level.threads_ != 0 ? 1 : 0), std::uint32_t{1});
        }
        return std::min(count * std::max(top.groups_, std::uint32_t{1}), most);
    }
    // Whether what runs there is of this group or below it, and of the fair band.
    bool runs(std::size_t cpu) const { return levels_[cpu].runs_; }
    // Where a task is that has had as much as the others of its group.
    std::uint64_t now(std::size_t cpu) const { return levels_[cpu].clock_.now(); }

    // A task of the group itself is runnable there from here on.
    void enter(FairLevel& top, std::size_t cpu) {
        if (is_active(levels_[cpu])) [[likely]] {
            ++levels_[cpu].threads_;
            return;
        }
        ++levels_[cpu].threads_;
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& above = group->above(top, cpu);
            const bool was_active = is_active(above);
            ++above.groups_;
            if (was_active) return;
        }
    }
    // One that entered is not any more.
    void leave(FairLevel& top, std::size_t cpu) {
        --levels_[cpu].threads_;
        if (is_active(levels_[cpu])) [[likely]]
            return;
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& above = group->above(top, cpu);
            --above.groups_;
            if (is_active(above)) return;
        }
    }

    // One that entered is ready, in no band.
    void add(FairLevel& top, std::size_t cpu, FairNode& task) {
        levels_[cpu].place(task);
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& own = group->levels_[cpu];
            if (own.runs_ || own.in_band()) return;
            group->above(top, cpu).place(own);
        }
    }
    // One that was added is taken out, by its CPU or another one.
    void remove(FairLevel& top, std::size_t cpu, FairNode& task) {
        levels_[cpu].ready_.remove(task);
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& own = group->levels_[cpu];
            if (!own.ready_.empty() || !own.in_band()) return;
            group->above(top, cpu).ready_.remove(own);
        }
    }
    // The task that goes next; null where none is ready. It is out of its band, and its group runs. Nothing else does.
    static FairNode* take_first(FairLevel& top) {
        for (FairLevel* level = &top;;) {
            FairNode* const first = level->ready_.first();
            if (first == nullptr) return nullptr;
            level->ready_.remove(*first);
            if (!first->is_level()) return first;
            level = static_cast<FairLevel*>(first);
            level->runs_ = true;
        }
    }
    // The group runs: what ran of it does not any more.
    void stop(FairLevel& top, std::size_t cpu) {
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& own = group->levels_[cpu];
            own.runs_ = false;
            if (!own.ready_.empty()) group->above(top, cpu).place(own);
        }
    }
    // A task of the group runs that was not ready. No other does.
    void run(FairLevel& top, std::size_t cpu) {
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& own = group->levels_[cpu];
            FairLevel& above = group->above(top, cpu);
            if (own.is_new_) above.begin(own);
            if (own.in_band())
                above.ready_.remove(own);
            else
                own.virtual_time_ = above.clock_.place(own.virtual_time_);
            own.runs_ = true;
        }
    }

    // By how long the group would have to have the CPU until the others of it have had as much as the task; below 0: how far that is behind. What goes along to another CPU.
    std::int64_t lead(std::size_t cpu, const FairNode& task) const {
        const std::int64_t ahead = FairClock::ahead(task.virtual_time_, levels_[cpu].clock_.now());
        return ahead > 0 ? ahead / std::max(levels_[cpu].threads_, std::uint32_t{1}) : ahead;
    }
    // The virtual time of a task that entered, with that lead.
    std::uint64_t behind_lead(std::size_t cpu, std::int64_t lead) const {
        return levels_[cpu].clock_.now() + static_cast<std::uint64_t>(lead > 0 ? lead * levels_[cpu].threads_ : lead);
    }

    // A task of the group, which is in no band, pays for so many nanoseconds, and so does every group that it is in. It is the one that runs, or another one runs in its place: what
    // that does not pay for is not its claim either, so the clocks follow who pays.
    void charge(FairLevel& top, std::size_t cpu, FairNode& task, std::uint64_t used) {
        used = std::min(used, std::uint64_t{FairClock::furthest_nanoseconds});
        FairLevel& level = levels_[cpu];
        // All own tasks together are one of the usual weight, beside child groups; and so the clock goes as fast as the group has the CPU, whoever of many tasks sleeps for how long.
        level.charge(task, used * std::max(level.threads_, std::uint32_t{1}));
        level.advance(task);
        for (FairGroup* group = this; group != nullptr; group = group->above_) {
            FairLevel& own = group->levels_[cpu];
            FairLevel& above = group->above(top, cpu);
            const bool waits = own.in_band();
            if (waits) above.ready_.remove(own);
            above.charge(own, group->by_weight(used));
            if (waits)
                above.ready_.add(own);
            else
                above.advance(own);
        }
    }
    // Whether somebody ready goes before `task` of the group, which runs, at any of the levels where it competes.
    bool is_beaten(const FairLevel& top, std::size_t cpu, const FairNode& task) const {
        const FairNode* running = &task;
        for (const FairGroup* group = this; group != nullptr; group = group->above_) {
            const FairLevel& own = group->levels_[cpu];
            if (own.has_before(*running)) return true;
            running = &own;
        }
        return top.has_before(*running);
    }

    // Whether nothing of it is runnable there.
    bool is_idle(std::size_t cpu) const { return !is_active(levels_[cpu]) && levels_[cpu].ready_.empty() && !levels_[cpu].in_band() && !levels_[cpu].runs_; }

private:
    static bool is_active(const FairLevel& level) { return level.threads_ != 0 || level.groups_ != 0; }
    FairLevel& above(FairLevel& top, std::size_t cpu) const { return above_ != nullptr ? above_->levels_[cpu] : top; }
    // Rounded up: no virtual time stands still.
    std::uint64_t by_weight(std::uint64_t used) const {
        const std::uint32_t weight = this->weight();
        if (weight == usual_weight) [[likely]]
            return used;
        return (used * usual_weight + weight - 1) / weight;
    }

    FairGroup* const above_; // null for the root and what is directly below it
    const bool root_;
    std::atomic<std::uint32_t> weight_;
    FairLevel levels_[cpus];
};

} // namespace kernel
