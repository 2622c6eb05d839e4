// Tree<T>: the one intrusive ordered set. T derives from TreeNodeOf<Tag> and says its place by a key. Balanced by height (AVL), so everything is O(log n).
#pragma once
#include <cstdint>

namespace base {

template <class Tag = void> class TreeNodeOf {
public:
    constexpr TreeNodeOf() = default;
    TreeNodeOf(const TreeNodeOf&) = delete;
    TreeNodeOf& operator=(const TreeNodeOf&) = delete;
    bool in_tree() const { return height_ != 0; }

private:
    template <class, class, class> friend class Tree;
    TreeNodeOf* parent_ = nullptr;
    TreeNodeOf* child_[2] = {nullptr, nullptr}; // smaller, larger
    std::int32_t height_ = 0;                   // of a leaf 1; 0 outside a tree
};

// `Key` is a function object: the key of a const T&, ordered by <. No two elements have the same. A key may change while its element is in the tree as long as the order
// stays. Does not own its elements; each is to be removed before it ends. The owner's lock serialises.
template <class T, class Key, class Tag = void> class Tree {
    using Node = TreeNodeOf<Tag>;

public:
    constexpr Tree() = default;
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    bool empty() const { return root_ == nullptr; }
    T* first() const { return element(outermost(root_, 0)); }
    T* last() const { return element(outermost(root_, 1)); }
    // The neighbours; null at the ends.
    T* next(T& of) const { return element(neighbour(of, 1)); }
    T* previous(T& of) const { return element(neighbour(of, 0)); }

    // The first whose key is not less; null where there is none.
    template <class K> T* lower_bound(const K& key) const {
        Node* found = nullptr;
        for (Node* node = root_; node != nullptr;) {
            const bool less = Key()(static_cast<const T&>(*node)) < key;
            if (!less)
                found = node;
            node = node->child_[less ? 1 : 0];
        }
        return element(found);
    }

    void insert(T& inserted) {
        Node& node = inserted;
        Node* parent = nullptr;
        Node** link = &root_;
        while (*link != nullptr) {
            parent = *link;
            link = &parent->child_[Key()(static_cast<const T&>(*parent)) < Key()(static_cast<const T&>(inserted)) ? 1 : 0];
        }
        node.parent_ = parent;
        node.child_[0] = node.child_[1] = nullptr;
        node.height_ = 1;
        *link = &node;
        balance(parent);
    }

    void remove(T& removed) {
        Node& node = removed;
        Node* lowest = node.parent_; // from here up heights may have changed
        if (node.child_[0] != nullptr && node.child_[1] != nullptr) {
            // The next one, which has no smaller child, takes its place.
            Node& heir = *outermost(node.child_[1], 0);
            lowest = heir.parent_ == &node ? &heir : heir.parent_;
            if (heir.parent_ != &node) {
                replace(heir, heir.child_[1]);
                heir.child_[1] = node.child_[1];
                heir.child_[1]->parent_ = &heir;
            }
            heir.child_[0] = node.child_[0];
            heir.child_[0]->parent_ = &heir;
            replace(node, &heir);
        } else {
            replace(node, node.child_[node.child_[0] != nullptr ? 0 : 1]);
        }
        node.parent_ = node.child_[0] = node.child_[1] = nullptr;
        node.height_ = 0;
        balance(lowest);
    }

    // For tests: whether links, heights and the order are as they have to be.
    bool sound() const { return root_ == nullptr || (root_->parent_ == nullptr && sound_below(root_)); }

private:
    static T* element(Node* node) { return static_cast<T*>(node); }
    static std::int32_t height(const Node* node) { return node != nullptr ? node->height_ : 0; }

    static Node* outermost(Node* node, unsigned side) {
        while (node != nullptr && node->child_[side] != nullptr)
            node = node->child_[side];
        return node;
    }
    static Node* neighbour(Node& of, unsigned side) {
        if (of.child_[side] != nullptr)
            return outermost(of.child_[side], 1 - side);
        Node* node = &of;
        while (node->parent_ != nullptr && node->parent_->child_[side] == node)
            node = node->parent_;
        return node->parent_;
    }

    // What names `old` names `now` from here on; null is allowed.
    void replace(Node& old, Node* now) {
        (old.parent_ == nullptr ? root_ : old.parent_->child_[old.parent_->child_[1] == &old ? 1 : 0]) = now;
        if (now != nullptr)
            now->parent_ = old.parent_;
    }

    static void measure(Node& node) {
        const std::int32_t left = height(node.child_[0]), right = height(node.child_[1]);
        node.height_ = (left > right ? left : right) + 1;
    }

    // The child on the side goes up into the node's place.
    Node& rotate(Node& node, unsigned side) {
        Node& child = *node.child_[side];
        replace(node, &child);
        node.child_[side] = child.child_[1 - side];
        if (node.child_[side] != nullptr)
            node.child_[side]->parent_ = &node;
        child.child_[1 - side] = &node;
        node.parent_ = &child;
        measure(node);
        measure(child);
        return child;
    }

    void balance(Node* node) {
        for (; node != nullptr; node = node->parent_) {
            measure(*node);
            const std::int32_t lean = height(node->child_[1]) - height(node->child_[0]);
            if (lean >= -1 && lean <= 1)
                continue;
            const unsigned side = lean > 0 ? 1 : 0;
            Node& child = *node->child_[side];
            if (height(child.child_[side]) < height(child.child_[1 - side]))
                rotate(child, 1 - side);
            node = &rotate(*node, side);
        }
    }

    bool sound_below(Node* node) const {
        for (unsigned side = 0; side < 2; ++side) {
            Node* const child = node->child_[side];
            if (child == nullptr)
                continue;
            const bool less = Key()(static_cast<const T&>(*child)) < Key()(static_cast<const T&>(*node));
            if (child->parent_ != node || less != (side == 0) || !sound_below(child))
                return false;
        }
        const std::int32_t left = height(node->child_[0]), right = height(node->child_[1]);
        return node->height_ == (left > right ? left : right) + 1 && left - right <= 1 && right - left <= 1;
    }

    Node* root_ = nullptr;
};

} // namespace base
