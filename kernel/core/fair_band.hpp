// What is ready of one level of a CPU's fair band: who is furthest behind in virtual time goes first, and of equals the one that came first. No architecture code, no lock and no
// allocation, so the host tests walk it.
#pragma once
#include <cstdint>
#include <utility>

#include "kernel/core/fair_clock.hpp"

namespace kernel {

// What may be ready in a fair band, in one at most.
class FairNode {
public:
    constexpr explicit FairNode(bool is_level = false) : is_level_(is_level) {}
    bool in_band() const { return rank_ != 0; }
    // Whether it stands for all that is ready one level below.
    bool is_level() const { return is_level_; }

    std::uint64_t virtual_time_ = 0; // not changed while it is in a band, whose times are less than 2^63 apart

private:
    friend class FairBand;
    FairNode* parent_ = nullptr;
    FairNode* child_[2] = {nullptr, nullptr}; // the one of the higher rank first
    std::uint64_t arrival_ = 0;
    std::uint32_t rank_ = 0; // nodes on the shortest way down and out; 0 outside a band
    const bool is_level_;
};

// A leftist heap (Knuth, volume 3, 5.2.3). Any user can make it long, so that nothing here takes longer than the logarithm of its length. The owner's lock serialises.
class FairBand {
public:
    constexpr FairBand() = default;

    bool empty() const { return root_ == nullptr; }
    FairNode* first() const { return root_; }

    // Not one that is in a band.
    void add(FairNode& node) {
        node.rank_ = 1;
        node.arrival_ = next_arrival_++;
        root_ = meld(root_, &node);
    }

    void remove(FairNode& node) {
        FairNode* parent = node.parent_;
        FairNode* const below = meld(node.child_[0], node.child_[1]);
        if (below != nullptr) below->parent_ = parent;
        (parent == nullptr ? root_ : parent->child_[parent->child_[1] == &node ? 1 : 0]) = below;
        while (parent != nullptr && settle(*parent)) parent = parent->parent_;
        node.parent_ = node.child_[0] = node.child_[1] = nullptr;
        node.rank_ = 0;
    }

    // For tests: whether links, ranks and the order are as they have to be.
    bool sound() const { return root_ == nullptr || (root_->parent_ == nullptr && sound_below(*root_)); }

private:
    static bool goes_before(const FairNode& one, const FairNode& other) {
        const std::int64_t ahead = FairClock::ahead(one.virtual_time_, other.virtual_time_);
        return ahead != 0 ? ahead < 0 : one.arrival_ < other.arrival_;
    }
    static std::uint32_t rank(const FairNode* node) { return node != nullptr ? node->rank_ : 0; }

    // The children's order and the rank; gives whether that changed.
    static bool settle(FairNode& node) {
        if (rank(node.child_[0]) < rank(node.child_[1])) std::swap(node.child_[0], node.child_[1]);
        return std::exchange(node.rank_, rank(node.child_[1]) + 1) != node.rank_;
    }

    // Down the two short sides, and up again.
    static FairNode* meld(FairNode* one, FairNode* other) {
        FairNode* root = nullptr;
        FairNode* parent = nullptr;
        FairNode** link = &root;
        while (one != nullptr && other != nullptr) {
            if (goes_before(*other, *one)) std::swap(one, other);
            *link = one;
            one->parent_ = parent;
            parent = one;
            link = &one->child_[1];
            one = *link;
        }
        *link = one != nullptr ? one : other;
        if (*link != nullptr) (*link)->parent_ = parent;
        for (; parent != nullptr; parent = parent->parent_) (void)settle(*parent);
        return root;
    }

    static bool sound_below(const FairNode& node) {
        for (const FairNode* const child : node.child_)
            if (child != nullptr && (child->parent_ != &node || goes_before(*child, node) || !sound_below(*child))) return false;
        return rank(node.child_[0]) >= rank(node.child_[1]) && node.rank_ == rank(node.child_[1]) + 1;
    }

    FairNode* root_ = nullptr;
    std::uint64_t next_arrival_ = 0;
};

} // namespace kernel
