#include "kernel/thread/futex.hpp"

#include <new>

#include "kernel/thread/thread_queue.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// Lock order: a bucket, then a space.
struct Bucket {
    SpinLock lock;
    ThreadQueue waiters;
};

constexpr std::size_t bucket_count = 256;
// Lists cannot be made at compile time: initialize_futexes does it.
alignas(Bucket) constinit unsigned char bucket_storage[bucket_count * sizeof(Bucket)] = {};

Bucket& bucket_of(const FutexKey& key) {
    std::uint64_t hash = reinterpret_cast<std::uint64_t>(key.space) ^ (key.address >> 2) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
    return reinterpret_cast<Bucket*>(bucket_storage)[hash % bucket_count];
}

// The key of a word, with its page brought in. A shared page may lose its frame after this (only by the mapping's own end), then nobody can wake the waiter by it.
base::Result<FutexKey> key_of(Space& space, std::uint64_t address, bool shared) {
    if (address % sizeof(std::uint32_t) != 0) return std::unexpected(abi::Error::bad_argument);
    if (!space.contains(address, sizeof(std::uint32_t))) return std::unexpected(abi::Error::bad_pointer);
    if (!shared) return FutexKey{base::weakened(base::Weakness::futex_space) ? nullptr : &space, address};
    TRY(space.resolve(address, abi::protection::read));
    return FutexKey{nullptr, TRY(space.translate(address))};
}

} // namespace

void initialize_futexes() {
    for (std::size_t i = 0; i < bucket_count; ++i) new (bucket_storage + i * sizeof(Bucket)) Bucket;
}

base::Result<void> futex_wait(Thread& thread, Space& space, std::uint64_t address, bool shared, std::uint32_t expected, abi::Deadline deadline) {
    const FutexKey key = TRY(key_of(space, address, shared));
    for (;;) {
        TRY(space.resolve(address, abi::protection::read));
        Bucket& bucket = bucket_of(key);
        LockGuard guard(bucket.lock);
        // The word is read under the bucket's lock, by the translation of now: a change after this is followed by a wake that finds the waiter.
        const auto physical = space.translate(address);
        if (!physical) continue;
        if (__atomic_load_n(direct<std::uint32_t>(*physical), __ATOMIC_SEQ_CST) != expected) return std::unexpected(abi::Error::changed);
        if (deadline == abi::poll) return std::unexpected(abi::Error::timed_out);
        thread.futex_key = key;
        thread.wait_state().announce();
        bucket.waiters.push(thread);
        break;
    }
    const std::int32_t outcome = thread.wait(deadline, {});
    if (outcome == 0) return {};
    // A requeue may have moved the thread meanwhile; its key says where to, and is stable once the right lock is held.
    for (;;) {
        Bucket& bucket = bucket_of(thread.futex_key);
        LockGuard guard(bucket.lock);
        if (&bucket != &bucket_of(thread.futex_key)) continue;
        bucket.waiters.remove_if_queued(thread);
        break;
    }
    return std::unexpected(static_cast<abi::Error>(-outcome));
}

base::Result<std::uint64_t> futex_wake(Space& space, std::uint64_t address, bool shared, std::uint32_t count, std::uint64_t requeue_to,
                                       std::uint32_t requeue_count) {
    const FutexKey key = TRY(key_of(space, address, shared));
    FutexKey target;
    if (requeue_to) target = TRY(key_of(space, requeue_to, shared));
    // Whoever would move to where it waits stays: moved to the end of the same queue it would come by again, `requeue_count` times.
    if (requeue_to && target == key) requeue_to = 0;
    Bucket& from = bucket_of(key);
    Bucket& to = requeue_to ? bucket_of(target) : from;
    // Two buckets are locked in the order of their addresses.
    Bucket& first = &from < &to ? from : to;
    Bucket& second = &from < &to ? to : from;
    std::uint64_t woken = 0;
    std::uint32_t moved = 0;
    LockGuard guard(first.lock);
    if (&first != &second) second.lock.lock();
    Thread* thread = from.waiters.first();
    while (thread && (woken < count || (requeue_to && moved < requeue_count))) {
        Thread* next = from.waiters.next(*thread);
        if (thread->futex_key == key) {
            if (woken < count) {
                from.waiters.remove(*thread);
                if (thread->wait_state().claim()) {
                    thread->finish_wait(0);
                    ++woken;
                }
            } else {
                from.waiters.remove(*thread);
                thread->futex_key = target;
                to.waiters.push(*thread);
                ++moved;
                // In the same bucket the moved thread comes by again, under its new key.
            }
        }
        thread = next;
    }
    if (&first != &second) second.lock.unlock();
    return woken;
}

} // namespace kernel
