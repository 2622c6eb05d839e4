// Who is to be woken when: the deadlines of one CPU. No architecture code, no lock and no heap, so the host tests walk it.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "lib/base/tree.hpp"

namespace kernel {

// What may have a deadline, in one queue at most. To be disarmed before it ends.
class DeadlineNode : public base::TreeNodeOf<DeadlineNode> {
public:
    bool armed() const { return in_tree(); }

private:
    friend class DeadlineQueue;
    abi::Deadline deadline_ = abi::never;
};

// Any user can make it long, so that nothing here takes longer than the logarithm of its length. The owner's lock serialises.
class DeadlineQueue {
public:
    constexpr DeadlineQueue() = default;

    // The next deadline; never where there is none.
    abi::Deadline next() const { return first_ != nullptr ? first_->deadline_ : abi::never; }

    // Not one that is armed.
    void arm(DeadlineNode& node, abi::Deadline deadline) {
        node.deadline_ = deadline;
        nodes_.insert(node);
        if (first_ == nullptr || Order()(node) < Order()(*first_)) first_ = &node;
    }

    // Harmless where it is not armed.
    void disarm(DeadlineNode& node) {
        if (!node.armed()) return;
        if (first_ == &node) first_ = nodes_.next(node);
        nodes_.remove(node);
    }

    // Takes out the first one that is due; null where none is.
    DeadlineNode* take_due(std::uint64_t now) {
        DeadlineNode* const due = first_;
        if (due == nullptr || due->deadline_ > now) return nullptr;
        disarm(*due);
        return due;
    }

private:
    // The address tells those of one deadline apart.
    struct Place {
        abi::Deadline deadline;
        std::uintptr_t address;
        bool operator<(const Place& other) const { return deadline != other.deadline ? deadline < other.deadline : address < other.address; }
    };
    struct Order {
        Place operator()(const DeadlineNode& node) const { return {node.deadline_, reinterpret_cast<std::uintptr_t>(&node)}; }
    };

    base::Tree<DeadlineNode, Order, DeadlineNode> nodes_;
    DeadlineNode* first_ = nullptr; // of the tree: looked at with every switch
};

} // namespace kernel
