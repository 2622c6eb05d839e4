// HashMap<Key, Value>: open addressing with linear probing; every allocation can fail. Iteration is in no order.
#pragma once
#include "lib/base/result.hpp"
#include "lib/base/string.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace base {

// The finalizer of MurmurHash3: every input bit moves every output bit.
constexpr std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdull;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ull;
    return value ^ (value >> 33);
}

// Specialise for other keys. Keys that compare equal, also of different types, must hash equally.
template <class Key> struct Hash;
template <std::integral Key> struct Hash<Key> {
    constexpr std::uint64_t operator()(Key key, std::uint64_t seed) const { return mix(static_cast<std::uint64_t>(key) ^ seed); }
};
template <class T> struct Hash<T*> {
    std::uint64_t operator()(T* key, std::uint64_t seed) const { return mix(reinterpret_cast<std::uintptr_t>(key) ^ seed); }
};
struct TextHash {
    constexpr std::uint64_t operator()(std::string_view key, std::uint64_t seed) const {
        std::uint64_t hash = 0xcbf29ce484222325ull ^ seed;
        for (const char character : key)
            hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3ull;
        return mix(hash);
    }
};
template <> struct Hash<std::string_view> : TextHash {};
template <> struct Hash<String> : TextHash {};

// Where keys come from a hostile side, give a secret seed. Pointers to values hold until the next insertion or removal.
template <class Key, class Value, class Hasher = Hash<Key>> class HashMap {
public:
    struct Entry {
        Key key;
        Value value;
    };
    template <class E> class Cursor {
    public:
        Cursor(const HashMap* map, std::size_t index) : map_(map), index_(index) { settle(); }
        E& operator*() const { return *const_cast<E*>(map_->entry(index_)); }
        E* operator->() const { return &**this; }
        Cursor& operator++() {
            ++index_;
            settle();
            return *this;
        }
        bool operator==(const Cursor& other) const { return index_ == other.index_; }

    private:
        void settle() {
            while (index_ < map_->capacity_ && !map_->used_[index_])
                ++index_;
        }
        const HashMap* map_;
        std::size_t index_;
    };

    explicit HashMap(std::uint64_t seed = 0x9e3779b97f4a7c15ull) : seed_(seed) {}
    HashMap(HashMap&& other) noexcept
        : seed_(other.seed_), entries_(std::exchange(other.entries_, nullptr)), used_(std::exchange(other.used_, nullptr)),
          capacity_(std::exchange(other.capacity_, 0)), size_(std::exchange(other.size_, 0)) {}
    HashMap& operator=(HashMap&& other) noexcept {
        HashMap taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~HashMap() {
        clear();
        release(entries_, used_);
    }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    Cursor<Entry> begin() { return {this, 0}; }
    Cursor<Entry> end() { return {this, capacity_}; }
    Cursor<const Entry> begin() const { return {this, 0}; }
    Cursor<const Entry> end() const { return {this, capacity_}; }

    // nullptr where there is none.
    template <class Query> Value* find(const Query& key) {
        const std::size_t index = position(key);
        return index == none ? nullptr : &entry(index)->value;
    }
    template <class Query> const Value* find(const Query& key) const { return const_cast<HashMap*>(this)->find(key); }
    template <class Query> bool contains(const Query& key) const { return find(key) != nullptr; }

    // Errors: exists, no_memory; nothing has changed then.
    Result<Value*> insert(Key key, Value value) {
        if (position(key) != none)
            return fail(Error::exists);
        // At most three quarters are used, so a probe ends soon.
        if ((size_ + 1) * 4 > capacity_ * 3)
            TRY(rehash(capacity_ == 0 ? 8 : capacity_ * 2));
        ++size_;
        return place(std::move(key), std::move(value));
    }
    // Errors: no_memory.
    Result<Value*> insert_or_assign(Key key, Value value) {
        if (Value* const old = find(key); old != nullptr) {
            *old = std::move(value);
            return old;
        }
        return insert(std::move(key), std::move(value));
    }
    // Whether there was one.
    template <class Query> bool erase(const Query& key) {
        std::size_t hole = position(key);
        if (hole == none)
            return false;
        remove(hole);
        // Entries behind the hole move into it where their probe passes it; so no marks of deleted entries are needed.
        for (std::size_t next = (hole + 1) & (capacity_ - 1); used_[next]; next = (next + 1) & (capacity_ - 1)) {
            const std::size_t home = hash(entry(next)->key);
            if (((next - home) & (capacity_ - 1)) < ((next - hole) & (capacity_ - 1)))
                continue;
            std::construct_at(entry(hole), std::move(*entry(next)));
            used_[hole] = true;
            remove(next);
            hole = next;
        }
        --size_;
        return true;
    }
    void clear() {
        for (std::size_t i = 0; i < capacity_; ++i)
            if (used_[i])
                remove(i);
        size_ = 0;
    }
    void swap(HashMap& other) noexcept {
        std::swap(seed_, other.seed_);
        std::swap(entries_, other.entries_);
        std::swap(used_, other.used_);
        std::swap(capacity_, other.capacity_);
        std::swap(size_, other.size_);
    }

private:
    static constexpr std::size_t none = SIZE_MAX;

    Entry* entry(std::size_t index) const { return static_cast<Entry*>(entries_) + index; }
    template <class Query> std::size_t hash(const Query& key) const { return Hasher()(key, seed_) & (capacity_ - 1); }
    template <class Query> std::size_t position(const Query& key) const {
        if (size_ == 0)
            return none;
        for (std::size_t i = hash(key); used_[i]; i = (i + 1) & (capacity_ - 1))
            if (entry(i)->key == key)
                return i;
        return none;
    }
    Value* place(Key&& key, Value&& value) {
        std::size_t index = hash(key);
        while (used_[index])
            index = (index + 1) & (capacity_ - 1);
        used_[index] = true;
        return &std::construct_at(entry(index), Entry{std::move(key), std::move(value)})->value;
    }
    void remove(std::size_t index) {
        std::destroy_at(entry(index));
        used_[index] = false;
    }
    Result<void> rehash(std::size_t capacity) {
        if (capacity > SIZE_MAX / 2 / sizeof(Entry))
            return fail(Error::no_memory);
        void* const entries = ::operator new(capacity * sizeof(Entry), std::nothrow);
        bool* const used = static_cast<bool*>(::operator new(capacity, std::nothrow));
        if (entries == nullptr || used == nullptr) {
            release(entries, used);
            return fail(Error::no_memory);
        }
        std::uninitialized_fill_n(used, capacity, false);
        void* const old_entries = std::exchange(entries_, entries);
        bool* const old_used = std::exchange(used_, used);
        const std::size_t old_capacity = std::exchange(capacity_, capacity);
        for (std::size_t i = 0; i < old_capacity; ++i) {
            if (!old_used[i])
                continue;
            Entry& old = static_cast<Entry*>(old_entries)[i];
            place(std::move(old.key), std::move(old.value));
            std::destroy_at(&old);
        }
        release(old_entries, old_used);
        return {};
    }
    static void release(void* entries, bool* used) {
        ::operator delete(entries);
        ::operator delete(used);
    }

    std::uint64_t seed_;
    void* entries_ = nullptr;
    bool* used_ = nullptr;
    std::size_t capacity_ = 0; // 0 or a power of two
    std::size_t size_ = 0;
};

} // namespace base
