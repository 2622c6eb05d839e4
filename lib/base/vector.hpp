// Vector<T>: a growing array whose every allocation can fail. Elements lie in memory from operator new(nothrow).
#pragma once
#include "lib/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace base {

// Moves only; `clone` copies. An index out of range traps.
template <class T> class Vector {
    static_assert(std::is_nothrow_move_constructible_v<T>);
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

public:
    Vector() = default;
    Vector(Vector&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
    Vector& operator=(Vector&& other) noexcept {
        Vector taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~Vector() {
        clear();
        ::operator delete(data_);
    }

    // Errors: no_memory.
    static Result<Vector> copy_of(std::span<const T> values) {
        Vector result;
        TRY(result.append(values));
        return result;
    }
    Result<Vector> clone() const { return copy_of(*this); }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    bool empty() const { return size_ == 0; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& operator[](std::size_t index) {
        check(index);
        return data_[index];
    }
    const T& operator[](std::size_t index) const {
        check(index);
        return data_[index];
    }
    T& front() { return (*this)[0]; }
    T& back() { return (*this)[size_ - 1]; }
    const T& front() const { return (*this)[0]; }
    const T& back() const { return (*this)[size_ - 1]; }
    operator std::span<T>() { return {data_, size_}; }
    operator std::span<const T>() const { return {data_, size_}; }

    // Errors of all that grow: no_memory; the vector is unchanged then.
    Result<void> reserve(std::size_t wanted) {
        if (wanted <= capacity_)
            return {};
        if (wanted > SIZE_MAX / 2 / sizeof(T))
            return fail(Error::no_memory);
        T* grown = static_cast<T*>(::operator new(wanted * sizeof(T), std::nothrow));
        if (grown == nullptr)
            return fail(Error::no_memory);
        std::uninitialized_move_n(data_, size_, grown);
        std::destroy_n(data_, size_);
        ::operator delete(data_);
        data_ = grown;
        capacity_ = wanted;
        return {};
    }
    template <class... Arguments> Result<T*> emplace_back(Arguments&&... arguments) {
        if (size_ == capacity_) {
            // An argument may refer to an element, so the new element is made before the old ones move.
            T element(std::forward<Arguments>(arguments)...);
            TRY(grow());
            return std::construct_at(data_ + size_++, std::move(element));
        }
        return std::construct_at(data_ + size_++, std::forward<Arguments>(arguments)...);
    }
    Result<void> push_back(T value) {
        TRY(emplace_back(std::move(value)));
        return {};
    }
    // The values must not lie in this vector.
    Result<void> append(std::span<const T> values) {
        if (values.size() > SIZE_MAX - size_)
            return fail(Error::no_memory);
        if (size_ + values.size() > capacity_)
            TRY(reserve(size_ + values.size() > 2 * capacity_ ? size_ + values.size() : 2 * capacity_));
        std::uninitialized_copy_n(values.data(), values.size(), data_ + size_);
        size_ += values.size();
        return {};
    }
    // New elements are value-initialized.
    Result<void> resize(std::size_t size) {
        if (size > size_) {
            TRY(reserve(size));
            std::uninitialized_value_construct_n(data_ + size_, size - size_);
        } else {
            std::destroy_n(data_ + size, size_ - size);
        }
        size_ = size;
        return {};
    }
    Result<void> insert(std::size_t index, T value) {
        if (index > size_)
            __builtin_trap();
        TRY(push_back(std::move(value)));
        for (std::size_t i = size_ - 1; i > index; --i)
            std::swap(data_[i], data_[i - 1]);
        return {};
    }

    void pop_back() {
        check(0);
        std::destroy_at(data_ + --size_);
    }
    // Keeps the order.
    void erase(std::size_t index) {
        check(index);
        for (std::size_t i = index + 1; i < size_; ++i)
            data_[i - 1] = std::move(data_[i]);
        pop_back();
    }
    void clear() {
        std::destroy_n(data_, size_);
        size_ = 0;
    }
    void swap(Vector& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    void check(std::size_t index) const {
        if (index >= size_) [[unlikely]]
            __builtin_trap();
    }
    Result<void> grow() { return reserve(capacity_ == 0 ? 8 : capacity_ * 2); }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace base
