// Ref<T>: the one counted pointer. T counts itself: `retain()` and `release()`; RefCounted gives both.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace base {

template <class T> class Ref {
public:
    Ref() = default;
    Ref(std::nullptr_t) {}
    // Takes a new reference.
    explicit Ref(T& object) : object_(&object) { object.retain(); }
    // Takes over a reference that the caller owns, as a new object has one.
    static Ref adopt(T& object) {
        Ref ref;
        ref.object_ = &object;
        return ref;
    }
    Ref(const Ref& other) : object_(other.object_) {
        if (object_ != nullptr)
            object_->retain();
    }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(const Ref<U>& other) : object_(other.get()) {
        if (object_ != nullptr)
            object_->retain();
    }
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(Ref<U>&& other) noexcept : object_(other.leak()) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ != nullptr)
            object_->release();
    }

    T* get() const { return object_; }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    // Without counting: for whoever knows what is there now.
    void place(T* object) { object_ = object; }
    // Gives the reference up to the caller.
    T* leak() { return std::exchange(object_, nullptr); }
    void reset() { Ref().swap(*this); }
    void swap(Ref& other) noexcept { std::swap(object_, other.object_); }
    template <class U> bool operator==(const Ref<U>& other) const { return object_ == other.get(); }
    bool operator==(std::nullptr_t) const { return object_ == nullptr; }

private:
    T* object_ = nullptr;
};

// Starts with one reference, which `Ref::adopt` takes over; the last release deletes.
template <class T> class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
    void release() const {
        if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete static_cast<const T*>(this);
    }
    std::uint32_t references() const { return count_.load(std::memory_order_relaxed); }

protected:
    ~RefCounted() = default;

private:
    mutable std::atomic<std::uint32_t> count_{1};
};

} // namespace base
