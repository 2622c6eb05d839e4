// The tree of leases: which capabilities die together. No architecture code, no lock and no heap, so the host tests walk it.
#pragma once
#include <atomic>
#include <cstdint>

namespace kernel {

// A slot remembers the generation that its lease had; it is dead when the lease has another. The check takes one load and needs no lock; everything
// else is serialised by the caller (one lock for the whole tree).
class LeaseNode {
public:
    LeaseNode() = default;
    LeaseNode(const LeaseNode&) = delete;
    LeaseNode& operator=(const LeaseNode&) = delete;

    void link_below(LeaseNode& parent) {
        parent_ = &parent;
        next_ = parent.first_child_;
        if (next_) next_->previous_ = this;
        parent.first_child_ = this;
    }

    // Leaves the tree; harmless on a top. A node that goes has no children (they hold references to it).
    void unlink() {
        if (!parent_) return;
        if (previous_) {
            previous_->next_ = next_;
        } else {
            parent_->first_child_ = next_;
        }
        if (next_) next_->previous_ = previous_;
        parent_ = next_ = previous_ = nullptr;
    }

    std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
    bool valid(std::uint64_t generation) const { return generation == this->generation(); }
    // A lease that was revoked takes no capabilities any more: what it grouped is over.
    bool revoked() const { return generation() != 0; }

    bool is_within(const LeaseNode& ancestor) const {
        for (const LeaseNode* node = this; node; node = node->parent_) {
            if (node == &ancestor) return true;
        }
        return false;
    }

    // The next node of `root`'s subtree in pre-order, or null. Start with `root` itself.
    LeaseNode* next_within(const LeaseNode& root) {
        if (first_child_) return first_child_;
        LeaseNode* node = this;
        while (node != &root && !node->next_) node = node->parent_;
        return node == &root ? nullptr : node->next_;
    }

    void bump() { generation_.fetch_add(1, std::memory_order_acq_rel); }

private:
    std::atomic<std::uint64_t> generation_{0};
    LeaseNode* parent_ = nullptr;
    LeaseNode* first_child_ = nullptr;
    LeaseNode* next_ = nullptr;
    LeaseNode* previous_ = nullptr;
};

} // namespace kernel
