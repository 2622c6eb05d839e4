// List<T>: the one intrusive, doubly linked list. T derives from ListNode<Tag>; an object with two tags can be in two lists.
#pragma once
#include <cstddef>
#include <iterator>

namespace base {

template <class Tag = void> class ListNodeOf {
public:
    constexpr ListNodeOf() = default;
    ListNodeOf(const ListNodeOf&) = delete;
    ListNodeOf& operator=(const ListNodeOf&) = delete;
    constexpr ~ListNodeOf() { unlink(); }
    bool linked() const { return next_ != nullptr; }
    // Out of whatever list it is in. No effect where it is in none.
    constexpr void unlink() {
        if (next_ == nullptr)
            return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    template <class, class> friend class List;
    ListNodeOf* next_ = nullptr;
    ListNodeOf* previous_ = nullptr;
};
using ListNode = ListNodeOf<>;

// Does not own its elements. The owner's lock serialises.
template <class T, class Tag = void> class List {
    using Node = ListNodeOf<Tag>;

public:
    class Iterator {
    public:
        using iterator_category = std::bidirectional_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = T*;
        using reference = T&;
        Iterator() = default;
        explicit Iterator(Node* node) : node_(node) {}
        T& operator*() const { return static_cast<T&>(*node_); }
        T* operator->() const { return static_cast<T*>(node_); }
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
        Node* node_ = nullptr;
    };

    constexpr List() { head_.next_ = head_.previous_ = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    constexpr ~List() { clear(); }

    constexpr bool empty() const { return head_.next_ == &head_; }
    T& front() { return static_cast<T&>(*head_.next_); }
    T& back() { return static_cast<T&>(*head_.previous_); }
    void push_back(T& element) { insert(head_, element); }
    void push_front(T& element) { insert(*head_.next_, element); }
    void insert_before(T& position, T& element) { insert(static_cast<Node&>(position), element); }
    void remove(T& element) { static_cast<Node&>(element).unlink(); }
    T* pop_front() {
        if (empty())
            return nullptr;
        T& first = front();
        remove(first);
        return &first;
    }
    // All of `other`, in their order, behind those that are here.
    void splice_back(List& other) {
        if (other.empty())
            return;
        Node* const first = other.head_.next_;
        Node* const last = other.head_.previous_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
        other.head_.next_ = other.head_.previous_ = &other.head_;
    }
    // Unlinks all.
    constexpr void clear() {
        while (!empty())
            head_.next_->unlink();
    }
    Iterator begin() const { return Iterator(head_.next_); }
    Iterator end() const { return Iterator(const_cast<Node*>(&head_)); }

private:
    static void insert(Node& before, T& element) {
        Node& node = element;
        node.next_ = &before;
        node.previous_ = before.previous_;
        before.previous_->next_ = &node;
        before.previous_ = &node;
    }
    Node head_;
};

} // namespace base
