// What part of a CPU the threads of a budget have, in a tree of budgets: at each level that of one's own weight in the weights of all that is runnable there below the same
// parent. No architecture code and no allocation, so the host tests walk it.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace kernel {

// One budget's. Directly below a budget compete its children that have anything runnable on that CPU, each by its weight, and all its own runnable threads together, which
// have the usual weight. Between what is directly below the root the weights alone tell: their sum would be the same factor for everybody on the CPU. Whatever is of a CPU is
// under that CPU's lock; what becomes runnable or idle reaches as far up as something becomes active or idle by it, which is no further than the tree is high.
template <std::size_t cpus> class Shares {
public:
    static constexpr std::uint32_t usual_weight = 1024;
    // No thread's weight counts less than this part of the usual one, whatever is multiplied up: its virtual time has to end somewhere.
    static constexpr unsigned least_part_bits = 20;

    // Below `parent`, which outlives it; null: the root. Weights from 1 to 16383.
    Shares(Shares* parent, std::uint32_t weight) : above_(parent != nullptr && !parent->root_ ? parent : nullptr), root_(parent == nullptr), weight_(weight) {}
    Shares(const Shares&) = delete;
    Shares& operator=(const Shares&) = delete;

    // Any lock or none: it reaches a CPU's sums when a thread below is charged there, or becomes runnable.
    void set_weight(std::uint32_t weight) { weight_.store(weight, std::memory_order_relaxed); }
    std::uint32_t weight() const { return weight_.load(std::memory_order_relaxed); }

    // --- under the lock of that CPU
    std::uint32_t threads(std::size_t cpu) const { return places_[cpu].threads; }
    // A thread of the budget itself is runnable there from here on.
    void enter(std::size_t cpu) {
        Place& place = places_[cpu];
        if (!place.active() && above_ != nullptr) [[unlikely]]
            activate(cpu);
        ++place.threads;
    }
    // One that entered is not any more.
    void leave(std::size_t cpu) {
        Place& place = places_[cpu];
        --place.threads;
        if (!place.active() && above_ != nullptr) [[unlikely]]
            deactivate(cpu);
    }

    // By how much the virtual time of a thread of the budget, which is runnable there, advances for `used` nanoseconds: of one that has all of a budget of the usual weight just
    // so much. Rounded up: it never stands still.
    std::uint64_t virtual_time(std::size_t cpu, std::uint64_t used) {
        const Place& own = places_[cpu];
        if (above_ == nullptr && own.threads == 1 && own.children == 0 && weight() == usual_weight) [[likely]]
            return used;
        return divide(rate(cpu), used);
    }

    // For tests: whether nothing counts there.
    bool is_idle(std::size_t cpu) const { return places_[cpu].threads == 0 && places_[cpu].children == 0 && places_[cpu].counted == 0; }
    std::uint64_t children(std::size_t cpu) const { return places_[cpu].children; }

private:
    // Parts of a CPU are in this: times a weight it fits into 64 bits.
    static constexpr unsigned part_bits = 42;
    static constexpr unsigned rate_bits = 20;
    static constexpr std::uint64_t all = std::uint64_t{1} << part_bits;

    struct Place {
        std::uint32_t threads = 0;  // runnable ones of the budget itself
        std::uint32_t counted = 0;  // the weight that the parent's sum has of this one; 0 where it has none
        std::uint64_t children = 0; // the weights of those children that are active
        bool active() const { return threads != 0 || children != 0; }
    };

    // So many times the time used, in 1/2^rate_bits.
    [[gnu::noinline]] std::uint64_t rate(std::size_t cpu) {
        const Place& own = places_[cpu];
        std::uint64_t part = all;
        if (own.children != 0) part = part * usual_weight / (usual_weight + own.children);
        if (own.threads > 1) part /= own.threads;
        Shares* node = this;
        for (; node->above_ != nullptr; node = node->above_) {
            const std::uint32_t weight = node->renew_weight(cpu);
            const Place& above = node->above_->places_[cpu];
            const std::uint64_t sum = above.children + (above.threads != 0 ? usual_weight : 0);
            if (sum != weight) part = part * weight / sum;
        }
        part = part * node->weight() / usual_weight;
        return (std::uint64_t{1} << (part_bits + rate_bits)) / std::max(part, all >> least_part_bits);
    }
    static std::uint64_t divide(std::uint64_t rate, std::uint64_t used) {
        const auto product = static_cast<unsigned __int128>(used) * rate + ((std::uint64_t{1} << rate_bits) - 1);
        if ((product >> (64 + rate_bits)) != 0) return std::numeric_limits<std::uint64_t>::max();
        return static_cast<std::uint64_t>(product >> rate_bits);
    }
    // What becomes active makes its parent so.
    [[gnu::noinline]] void activate(std::size_t cpu) {
        for (Shares* node = this; node->above_ != nullptr; node = node->above_) {
            Place& above = node->above_->places_[cpu];
            const bool was_active = above.active();
            const std::uint32_t weight = node->weight();
            node->places_[cpu].counted = weight;
            above.children += weight;
            if (was_active) return;
        }
    }
    [[gnu::noinline]] void deactivate(std::size_t cpu) {
        for (Shares* node = this; node->above_ != nullptr; node = node->above_) {
            Place& above = node->above_->places_[cpu];
            // What was added, whatever the weight is by now.
            above.children -= node->places_[cpu].counted;
            node->places_[cpu].counted = 0;
            if (above.active()) return;
        }
    }
    std::uint32_t renew_weight(std::size_t cpu) {
        Place& place = places_[cpu];
        const std::uint32_t weight = this->weight();
        if (place.counted != weight) [[unlikely]] {
            above_->places_[cpu].children += weight;
            above_->places_[cpu].children -= place.counted;
            place.counted = weight;
        }
        return weight;
    }

    Shares* const above_; // null for the root and what is directly below it
    const bool root_;
    std::atomic<std::uint32_t> weight_;
    Place places_[cpus];
};

} // namespace kernel
