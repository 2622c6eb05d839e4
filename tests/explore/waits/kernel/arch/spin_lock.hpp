// The kernel's lock: whoever takes it stops before, and runs on where it is free. Which one is held is a part of the machine.
#pragma once
#include <atomic>
#include <cstdint>

#include "tests/explore/waits/machine.hpp"

namespace kernel {

class SpinLock {
public:
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;
    void lock() { explore::lock(this); }
    bool try_lock() { return explore::try_lock(this); }
    void unlock() { explore::unlock(this); }
    bool held() const { return explore::is_locked(this); }
    std::atomic<std::uint32_t>& serving() { return serving_; }

private:
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
