// The figures of one quota: a node in the tree of limits. No architecture code and no heap, so the host tests walk it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/types.hpp"

namespace kernel {

// Charges are in pages. Kernel objects are smaller than pages: what is charged for them are the pages that hold nobody else's (memory/heap.hpp).
//
// All figures are atomics and every charge goes from the node to the root, taking back what it charged where an ancestor refuses. So two charges that race
// for the last page may both fail for a moment, but the limit is never exceeded. What is more than there is was never charged, or whoever asks for that in a loop would have all
// others refused.
class QuotaNode {
public:
    QuotaNode(QuotaNode* parent, std::uint64_t limit) : parent_(parent), limit_(limit) {}
    QuotaNode(const QuotaNode&) = delete;
    QuotaNode& operator=(const QuotaNode&) = delete;

    // True where `pages` are now charged to this node and all its ancestors. A closed node refuses, and so do the nodes below it.
    bool charge_pages(std::uint64_t pages) {
        if (closed() || (pages > 1 && !has_room(pages))) return false;
        for (QuotaNode* node = this; node; node = node->parent_) {
            const std::uint64_t before = node->used_.fetch_add(pages, std::memory_order_relaxed);
            if (before > node->limit_ || pages > node->limit_ - before) {
                node->used_.fetch_sub(pages, std::memory_order_relaxed);
                for (QuotaNode* undo = this; undo != node; undo = undo->parent_) {
                    undo->used_.fetch_sub(pages, std::memory_order_relaxed);
                }
                return false;
            }
        }
        return true;
    }

    void release_pages(std::uint64_t pages) {
        for (QuotaNode* node = this; node; node = node->parent_) node->used_.fetch_sub(pages, std::memory_order_relaxed);
    }

    // Page tables: pages like others, with a figure of their own.
    bool charge_table() {
        if (!charge_pages(1)) return false;
        for (QuotaNode* node = this; node; node = node->parent_) node->tables_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    void release_table() {
        for (QuotaNode* node = this; node; node = node->parent_) node->tables_.fetch_sub(1, std::memory_order_relaxed);
        release_pages(1);
    }

    void count_object(abi::ObjectKind kind, std::int64_t change) {
        for (QuotaNode* node = this; node; node = node->parent_) {
            node->objects_[static_cast<std::size_t>(kind)].fetch_add(static_cast<std::uint64_t>(change), std::memory_order_relaxed);
        }
    }

    // No charge succeeds any more; what is charged stays until released.
    void close() { closed_.store(true, std::memory_order_relaxed); }
    bool closed() const {
        for (const QuotaNode* node = this; node; node = node->parent_) {
            if (node->closed_.load(std::memory_order_relaxed)) return true;
        }
        return false;
    }

    bool is_within(const QuotaNode& ancestor) const {
        for (const QuotaNode* node = this; node; node = node->parent_) {
            if (node == &ancestor) return true;
        }
        return false;
    }

    QuotaNode* parent_node() const { return parent_; }
    std::uint64_t limit() const { return limit_; }
    std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    std::uint64_t table_pages() const { return tables_.load(std::memory_order_relaxed); }
    std::uint64_t objects(std::size_t kind) const { return objects_[kind].load(std::memory_order_relaxed); }

private:
    bool has_room(std::uint64_t pages) const {
        for (const QuotaNode* node = this; node; node = node->parent_) {
            const std::uint64_t used = node->used_.load(std::memory_order_relaxed);
            if (used > node->limit_ || pages > node->limit_ - used) return false;
        }
        return true;
    }

    QuotaNode* parent_;
    std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
    std::atomic<std::uint64_t> tables_{0};
    std::atomic<bool> closed_{false};
    std::atomic<std::uint64_t> objects_[static_cast<std::size_t>(abi::ObjectKind::count)] = {};
};

} // namespace kernel
