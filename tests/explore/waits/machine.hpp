// The machine that the wait protocol's model runs the kernel's code on: fibers in the place of processors, each of which stops before every access that another one may come in
// between. Everything that a fiber can reach lies in one arena at fixed addresses, so that the arena, the stacks' live parts and the locks are the whole state.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

namespace explore {

inline constexpr unsigned max_fibers = 8;

// Where a fiber stands.
enum class Place : std::uint8_t { unused, ready, at_lock, spinning, blocked, ended };

struct Fiber {
    Place place;
    const void* lock; // that it waits for
    std::uint64_t saved_stack;
};

// Without content between two models.
struct Machine {
    Fiber fibers[max_fibers];
    const void* held[24]; // locks, in no order that matters
    std::uint32_t held_count;
    std::uint32_t allocated;
    std::uint64_t now;
    const char* broken;
};

void reset_machine();
Machine& machine();
// Null at the model's own level, where nothing stops.
int current_fiber();

// From the arena; nothing of it serves twice.
void* arena_allocate(std::size_t bytes);
template <class T, class... Arguments> T& arena_make(Arguments&&... arguments) { return *new (arena_allocate(sizeof(T))) T(static_cast<Arguments&&>(arguments)...); }
// Not a part of the state: for the pages, whose words are not used.
void* page_allocate();

void start_fiber(unsigned index, void (*function)(unsigned index));
bool may_run(unsigned index);
// Until its next stop.
void run_fiber(unsigned index);

// By fibers. Another one may come in here.
void stop();
void stop_spinning();
void lock(const void* lock);
bool try_lock(const void* lock);
void unlock(const void* lock);
bool is_locked(const void* lock);
// Until ready_fiber(), by whoever wakes it.
void block_fiber();
void ready_fiber(unsigned index);
// Ends the fiber.
[[noreturn]] void end_fiber();
// The first difference stays.
inline void require(bool holds, const char* what) {
    if (!holds && !machine().broken) machine().broken = what;
}

// All that the rest depends on, as 16 bytes.
std::string state_key();

// In the place of std::atomic where others race for it.
template <class T> class SharedAtomic {
public:
    constexpr SharedAtomic() = default;
    constexpr SharedAtomic(T value) : value_(value) {}
    T load(std::memory_order = {}) const { return stop(), value_; }
    void store(T value, std::memory_order = {}) { stop(), value_ = value; }
    T exchange(T value, std::memory_order = {}) { stop(); const T before = value_; value_ = value; return before; }
    T fetch_add(T value, std::memory_order = {}) { stop(); const T before = value_; value_ = static_cast<T>(value_ + value); return before; }
    T fetch_sub(T value, std::memory_order = {}) { stop(); const T before = value_; value_ = static_cast<T>(value_ - value); return before; }
    T fetch_or(T value, std::memory_order = {}) { stop(); const T before = value_; value_ = static_cast<T>(value_ | value); return before; }
    T fetch_and(T value, std::memory_order = {}) { stop(); const T before = value_; value_ = static_cast<T>(value_ & value); return before; }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order = {}, std::memory_order = {}) {
        stop();
        if (value_ == expected) return value_ = desired, true;
        expected = value_;
        return false;
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order = {}, std::memory_order = {}) { return compare_exchange_strong(expected, desired); }

private:
    T value_{};
};

} // namespace explore
