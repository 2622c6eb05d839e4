// The kernel's lock. The kernel runs with interrupts off but for its named points, so a lock needs to keep off other CPUs only.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/arch/lock_rank.hpp"
#include "kernel/arch/relax.hpp"
#include "lib/base/thread_safety.hpp"

namespace kernel {

// Ticket lock: fair among CPUs. Whoever spins serves the TLB shoot-downs addressed to its CPU meanwhile; else a CPU that holds the lock and waits for an
// acknowledgement would wait for ever. No allocation and no access to user memory while one is held. Its rank says which others may be taken under it.
class BASE_CAPABILITY("lock") SpinLock {
public:
#ifdef KERNEL_LOCK_RANKS
    constexpr explicit SpinLock(LockRank rank) : rank_(rank) {}
#else
    constexpr explicit SpinLock(LockRank) {}
#endif
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    void lock() BASE_ACQUIRE() {
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::check(rank_);
#endif
        take();
    }
    // A second one of a rank: the place says what order those two have.
    void lock_beside() BASE_ACQUIRE() {
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::check_beside(rank_);
#endif
        take();
    }
    // In any order: nobody waits.
    bool try_lock() BASE_TRY_ACQUIRE(true) {
        std::uint32_t ticket = serving_.load(std::memory_order_relaxed);
        const bool taken = next_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acquire, std::memory_order_relaxed);
#ifdef KERNEL_LOCK_RANKS
        if (taken) lock_ranks::note_taken(*this, rank_);
#endif
        return taken;
    }
    void unlock() BASE_RELEASE() {
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::note_released(*this, rank_);
#endif
        serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    // For assembly, which unlocks by adding one to the second word, and takes no other lock until then.
    SpinLock& given_by_assembly() {
        static_assert(offsetof(SpinLock, serving_) == 4);
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::note_released(*this, rank_);
#endif
        return *this;
    }
    bool held() const { return next_.load(std::memory_order_relaxed) != serving_.load(std::memory_order_relaxed); }
    // Where the analysis does not see that this CPU has it, as in a lambda that is called under it.
    void assert_held() const BASE_ASSERT_CAPABILITY() {
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::expect_held(*this, rank_);
#endif
    }
    // For the analysis alone: nobody else can reach what it guards, at boot on one CPU or in an object that nobody knows yet or any more.
    void assume_held() const BASE_ASSERT_CAPABILITY() {}

private:
    void take() {
        const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
        if (serving_.load(std::memory_order_acquire) != ticket) [[unlikely]]
            wait(ticket);
#ifdef KERNEL_LOCK_RANKS
        lock_ranks::note_taken(*this, rank_);
#endif
    }

    // Apart, and with all registers kept: a lock is nearly always free, and what serves shoot-downs would cost each function that takes one half its registers.
    [[gnu::noinline, clang::preserve_most]] void wait(std::uint32_t ticket) {
        while (serving_.load(std::memory_order_acquire) != ticket)
            arch::relax();
    }

    std::atomic<std::uint32_t> next_{0};
    std::atomic<std::uint32_t> serving_{0};
#ifdef KERNEL_LOCK_RANKS
    LockRank rank_;
#endif
};

class BASE_SCOPED_CAPABILITY LockGuard {
public:
    explicit LockGuard(SpinLock& lock) BASE_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() BASE_RELEASE() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    SpinLock& lock_;
};

// For a second lock of a rank.
class BASE_SCOPED_CAPABILITY BesideGuard {
public:
    explicit BesideGuard(SpinLock& lock) BASE_ACQUIRE(lock) : lock_(lock) { lock_.lock_beside(); }
    ~BesideGuard() BASE_RELEASE() { lock_.unlock(); }
    BesideGuard(const BesideGuard&) = delete;
    BesideGuard& operator=(const BesideGuard&) = delete;

private:
    SpinLock& lock_;
};

} // namespace kernel
