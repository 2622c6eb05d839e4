// Who waits at which word. No architecture code, no lock and no heap, so the host tests walk it.
#pragma once
#include <cstdint>

#include "lib/base/tree.hpp"

namespace kernel {

// What a waiter waits at. Private words are told apart by their space and address; shared ones by the frame behind them, which every space that maps it shares: of guests,
// every space of their sandbox.
// A page that is private stays so, whatever the caller said: its frame changes when it is written.
struct FutexKey {
    const void* space = nullptr; // where the word is shared: null, or the sandbox' own half
    std::uint64_t address = 0;   // in the space; or physical
    bool operator==(const FutexKey&) const = default;
};

inline constexpr std::uint32_t any_futex_bits = 0xffffffff;

// In one queue at most.
class FutexNode : public base::TreeNodeOf<FutexNode> {
public:
    const FutexKey& futex_key() const { return key_; }
    // A wake that has none of these leaves it alone.
    std::uint32_t futex_bits() const { return bits_; }
    std::uint64_t futex_turn() const { return turn_; }
    bool in_futex_queue() const { return in_tree(); }

private:
    friend class FutexQueue;
    FutexKey key_;
    std::uint32_t bits_ = 0;
    std::uint64_t turn_ = 0;
};

// The waiters of many words, each word's first in, first out. How many wait at other words changes the cost by a logarithm alone. The owner's lock serialises.
class FutexQueue {
public:
    constexpr FutexQueue() = default;

    // Whoever comes from now on has this turn or a later one.
    std::uint64_t turn() const { return next_turn_; }

    void push(FutexNode& node, const FutexKey& key, std::uint32_t bits = any_futex_bits) {
        node.key_ = key;
        node.bits_ = bits;
        node.turn_ = next_turn_++;
        nodes_.insert(node);
    }
    void remove(FutexNode& node) { nodes_.remove(node); }

    // The one that waits longest at the word, of those whose turn is `from` or later and before `before`; null where there is none.
    FutexNode* first(const FutexKey& key, std::uint64_t before, std::uint64_t from = 0) const {
        FutexNode* const node = nodes_.lower_bound(Place{key, from});
        return node != nullptr && node->key_ == key && node->turn_ < before ? node : nullptr;
    }

private:
    struct Place {
        FutexKey key;
        std::uint64_t turn;
        bool operator<(const Place& other) const {
            if (key.space != other.key.space) return reinterpret_cast<std::uintptr_t>(key.space) < reinterpret_cast<std::uintptr_t>(other.key.space);
            if (key.address != other.key.address) return key.address < other.key.address;
            return turn < other.turn;
        }
    };
    struct Order {
        Place operator()(const FutexNode& node) const { return {node.key_, node.turn_}; }
    };

    base::Tree<FutexNode, Order, FutexNode> nodes_;
    std::uint64_t next_turn_ = 1;
};

} // namespace kernel
