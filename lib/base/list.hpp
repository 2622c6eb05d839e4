// List<T>: the one intrusive, doubly linked list. Either T derives from ListNode, or a member of type ListNode is named: List<T, &T::node>, so that an object
// can be in several lists.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>

namespace base {

class ListNode {
public:
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    ~ListNode() { unlink(); }
    bool linked() const { return next_ != nullptr; }
    // Out of whatever list it is in. No effect where it is in none.
    void unlink() {
        if (next_ == nullptr)
            return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    template <class, auto> friend class List;
    ListNode* next_ = nullptr;
    ListNode* previous_ = nullptr;
};

// Does not own its elements. The owner's lock serialises.
template <class T, auto Member = nullptr> class List {
    static ListNode& node_of(T& element) {
        if constexpr (std::is_same_v<decltype(Member), std::nullptr_t>)
            return element;
        else
            return element.*Member;
    }
    static T& element_of(ListNode& node) {
        if constexpr (std::is_same_v<decltype(Member), std::nullptr_t>) {
            return static_cast<T&>(node);
        } else {
            // The member's offset, measured on an address where no object need be.
            constexpr std::uintptr_t somewhere = 0x10000;
            const auto offset = reinterpret_cast<std::uintptr_t>(&(reinterpret_cast<T*>(somewhere)->*Member)) - somewhere;
            return *reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(&node) - offset);
        }
    }

public:
    class Iterator {
    public:
        using iterator_category = std::bidirectional_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = T*;
        using reference = T&;
        Iterator() = default;
        T& operator*() const { return element_of(*node_); }
        T* operator->() const { return &element_of(*node_); }
        Iterator& operator++() {
            node_ = node_->next_;
            return *this;
        }
        Iterator& operator--() {
            node_ = node_->previous_;
            return *this;
        }
        bool operator==(const Iterator&) const = default;

    private:
        friend class List;
        explicit Iterator(ListNode* node) : node_(node) {}
        ListNode* node_ = nullptr;
    };

    List() { head_.next_ = head_.previous_ = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() { clear(); }

    bool empty() const { return head_.next_ == &head_; }
    T& front() { return element_of(*head_.next_); }
    T& back() { return element_of(*head_.previous_); }
    void push_back(T& element) { insert(head_, node_of(element)); }
    void push_front(T& element) { insert(*head_.next_, node_of(element)); }
    void insert_before(T& position, T& element) { insert(node_of(position), node_of(element)); }
    void remove(T& element) { node_of(element).unlink(); }
    T* pop_front() {
        if (empty())
            return nullptr;
        T& first = front();
        remove(first);
        return &first;
    }
    // Unlinks all.
    void clear() {
        while (!empty())
            head_.next_->unlink();
    }
    Iterator begin() const { return Iterator(head_.next_); }
    Iterator end() const { return Iterator(const_cast<ListNode*>(&head_)); }

private:
    static void insert(ListNode& before, ListNode& node) {
        node.next_ = &before;
        node.previous_ = before.previous_;
        before.previous_->next_ = &node;
        before.previous_ = &node;
    }
    ListNode head_;
};

} // namespace base
