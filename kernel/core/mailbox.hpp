// What processors ask of another one: any of them posts, the owner alone takes. Nobody ever waits, whatever processor is taken away wherever it is.
#pragma once
#include <atomic>

namespace kernel {

class MailNode {
    friend class Mailbox;
    MailNode* next_ = nullptr;         // the poster's, then the owner's
    std::atomic<bool> posted_ = false; // in a Mailbox, of whatever owner
};

class Mailbox {
public:
    constexpr Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // False where the node is on its way already, here or elsewhere: who takes it sees what was written before this. Nodes stay alive until they are taken.
    // The owner is told after that: it may have looked before.
    bool post(MailNode& node) {
        if (node.posted_.exchange(true, std::memory_order_acq_rel)) return false;
        MailNode* first = posted_.load(std::memory_order_relaxed);
        do {
            node.next_ = first;
        } while (!posted_.compare_exchange_weak(first, &node, std::memory_order_release, std::memory_order_relaxed));
        return true;
    }

    // By the owner. Null where there is none. What was posted later does not overtake what was seen here; of those that came between two looks the last one is first.
    MailNode* take() {
        if (unread_ == nullptr) unread_ = posted_.exchange(nullptr, std::memory_order_acquire);
        MailNode* const node = unread_;
        if (node == nullptr) return nullptr;
        unread_ = node->next_;
        // Before the taker looks at what it is about: what is written after this look is posted anew.
        node->posted_.exchange(false, std::memory_order_acq_rel);
        return node;
    }

    // By the owner.
    bool is_empty() const { return unread_ == nullptr && posted_.load(std::memory_order_relaxed) == nullptr; }

private:
    std::atomic<MailNode*> posted_ = nullptr;
    MailNode* unread_ = nullptr; // the owner's
};

} // namespace kernel
