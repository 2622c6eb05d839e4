#include "lib/native/mutex.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/thread_block.hpp"

namespace native {

namespace {

// Short critical sections on another CPU are over before a kernel call would be.
constexpr int spins = 40;

} // namespace

void Mutex::lock_slowly() {
    for (int i = 0; i < spins; ++i) {
        if (word_.load(std::memory_order_relaxed) == unlocked && try_lock())
            return;
        __builtin_ia32_pause();
    }
    bool kicked = false;
    while (word_.exchange(contended, std::memory_order_acquire) != unlocked) {
        auto waited = futex_wait(&word_, contended);
        if (!waited && waited.error() == abi::Error::canceled)
            kicked = true;
    }
    if (kicked && current_thread().handle != abi::no_handle)
        (void)call::thread_kick(current_thread().handle);
}

void Mutex::wake_one() { futex_wake(&word_, 1); }

Condition::Outcome Condition::wait(Mutex& mutex, abi::Deadline deadline) {
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    const std::uint32_t seen = sequence_.load(std::memory_order_seq_cst);
    mutex.unlock();
    auto waited = futex_wait(&sequence_, seen, deadline);
    waiters_.fetch_sub(1, std::memory_order_relaxed);
    mutex.lock();
    if (waited || waited.error() == abi::Error::changed)
        return Outcome::woken;
    return waited.error() == abi::Error::timed_out ? Outcome::timed_out : Outcome::canceled;
}

void Condition::signal() { wake(1); }
void Condition::broadcast() { wake(UINT32_MAX); }

void Condition::wake(std::uint32_t count) {
    sequence_.fetch_add(1, std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_seq_cst) != 0)
        futex_wake(&sequence_, count);
}

} // namespace native
