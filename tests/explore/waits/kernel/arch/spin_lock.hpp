// The kernel's lock: whoever takes it stops before, and runs on where it is free. Which one is held is a part of the machine.
#pragma once

#include "kernel/arch/lock_rank.hpp"
#include "lib/base/thread_safety.hpp"
#include "tests/explore/waits/machine.hpp"

namespace kernel {

class BASE_CAPABILITY("lock") SpinLock {
public:
    constexpr explicit SpinLock(LockRank) {}
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;
    void lock() BASE_ACQUIRE() { explore::lock(this); }
    void lock_beside() BASE_ACQUIRE() { lock(); }
    bool try_lock() BASE_TRY_ACQUIRE(true) { return explore::try_lock(this); }
    void unlock() BASE_RELEASE() { explore::unlock(this); }
    bool held() const { return explore::is_locked(this); }
    void assert_held() const BASE_ASSERT_CAPABILITY() {}
    void assume_held() const BASE_ASSERT_CAPABILITY() {}
    SpinLock& given_by_assembly() { return *this; }

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

} // namespace kernel
