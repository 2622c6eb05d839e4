// Mutex and Condition on the kernel's futexes. Uncontended locking makes no kernel call.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/types.hpp"

namespace native {

// Not recursive. A kick (thread_kick) that arrives while a thread waits for the lock is not lost: it is given back to the thread when the lock is had.
class Mutex {
public:
    constexpr Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() {
        std::uint32_t expected = unlocked;
        if (!word_.compare_exchange_strong(expected, locked, std::memory_order_acquire, std::memory_order_relaxed)) [[unlikely]]
            lock_slowly();
    }
    bool try_lock() {
        std::uint32_t expected = unlocked;
        return word_.compare_exchange_strong(expected, locked, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void unlock() {
        if (word_.exchange(unlocked, std::memory_order_release) == contended) [[unlikely]]
            wake_one();
    }

private:
    static constexpr std::uint32_t unlocked = 0;
    static constexpr std::uint32_t locked = 1;
    static constexpr std::uint32_t contended = 2; // locked, and somebody may wait

    void lock_slowly();
    void wake_one();
    std::atomic<std::uint32_t> word_{unlocked};
};

class LockGuard {
public:
    explicit LockGuard(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~LockGuard() { mutex_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    Mutex& mutex_;
};

// The waiter holds the mutex, tests its condition, waits and tests again: wake-ups may come without a reason.
class Condition {
public:
    constexpr Condition() = default;
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;

    enum class Outcome { woken, timed_out, canceled };
    // Releases the mutex, waits, takes it again. `canceled`: the thread was kicked; the kick is used up.
    Outcome wait(Mutex& mutex, abi::Deadline deadline = abi::never);
    void signal();
    void broadcast();

private:
    void wake(std::uint32_t count);
    std::atomic<std::uint32_t> sequence_{0};
    std::atomic<std::uint32_t> waiters_{0};
};

} // namespace native
