// The kernel's lock. The kernel runs with interrupts off but for its named points, so a lock needs to keep off other CPUs only.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/arch/relax.hpp"

namespace kernel {

// Ticket lock: fair among CPUs. Whoever spins serves the TLB shoot-downs addressed to its CPU meanwhile; else a CPU that holds the lock and waits for an
// acknowledgement would wait for ever. No allocation and no access to user memory while one is held.
class SpinLock {
public:
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    void lock() {
        const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
        while (serving_.load(std::memory_order_acquire) != ticket)
            arch::relax();
    }
    bool try_lock() {
        std::uint32_t ticket = serving_.load(std::memory_order_relaxed);
        return next_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void unlock() { serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
    // For assembly, which unlocks by adding one to it.
    std::atomic<std::uint32_t>& serving() { return serving_; }
    bool held() const { return next_.load(std::memory_order_relaxed) != serving_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint32_t> next_{0};
    std::atomic<std::uint32_t> serving_{0};
};

class LockGuard {
public:
    explicit LockGuard(SpinLock& lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    SpinLock& lock_;
};

} // namespace kernel
