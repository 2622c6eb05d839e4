// An atomic whose every access is a point where another thread may come in: copies of the cores with this in the place of std::atomic are run step by step.
//
// A function is run from its start for every step. The accesses that it made in earlier steps give again what they gave then and change nothing; the next one
// happens; the one after that throws Paused. So no stacks are kept, and the state of a thread is the list of values that it saw. Interleavings are those of
// sequential consistency: weaker orders are not explored.
#pragma once
#include <atomic>
#include <cstdint>
#include <vector>

namespace explore {

struct Paused {};

struct Steps {
    std::vector<std::uint64_t> seen;
    std::size_t position = 0;
    bool may_step = false;
};

// Null: accesses are plain ones, for checks.
inline Steps* current_steps = nullptr;

// One step of `function`; true where it ended with it.
template <class Function> bool step(Steps& steps, Function&& function) {
    steps.position = 0;
    steps.may_step = true;
    current_steps = &steps;
    bool ended = true;
    try {
        function();
    } catch (const Paused&) {
        ended = false;
    }
    current_steps = nullptr;
    if (ended) steps.seen.clear();
    return ended;
}

// What `happen` does is one access, and what it gives is seen.
template <class Access> std::uint64_t access(Access&& happen) {
    Steps* const steps = current_steps;
    if (!steps) return happen();
    if (steps->position < steps->seen.size()) return steps->seen[steps->position++];
    if (!steps->may_step) throw Paused{};
    steps->may_step = false;
    const std::uint64_t value = happen();
    steps->seen.push_back(value);
    ++steps->position;
    return value;
}

template <class T> class SteppedAtomic {
public:
    SteppedAtomic() = default;
    constexpr SteppedAtomic(T value) : value_(value) {}

    T load(std::memory_order = {}) const {
        return access([&] { return value_; });
    }
    void store(T value, std::memory_order = {}) {
        access([&] { return value_ = value; });
    }
    T fetch_add(T value, std::memory_order = {}) {
        return access([&] { const T before = value_; value_ = static_cast<T>(value_ + value); return before; });
    }
    T fetch_or(T value, std::memory_order = {}) {
        return access([&] { const T before = value_; value_ = static_cast<T>(value_ | value); return before; });
    }
    T fetch_and(T value, std::memory_order = {}) {
        return access([&] { const T before = value_; value_ = static_cast<T>(value_ & value); return before; });
    }
    T fetch_sub(T value, std::memory_order = {}) {
        return access([&] { const T before = value_; value_ = static_cast<T>(value_ - value); return before; });
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order = {}, std::memory_order = {}) {
        const T before = access([&] {
            const T found = value_;
            if (found == expected) value_ = desired;
            return found;
        });
        const bool same = before == expected;
        expected = before;
        return same;
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order = {}, std::memory_order = {}) { return compare_exchange_strong(expected, desired); }

private:
    template <class Access> static T access(Access&& happen) {
        return static_cast<T>(explore::access([&] { return static_cast<std::uint64_t>(happen()); }));
    }

    T value_{};
};

} // namespace explore
