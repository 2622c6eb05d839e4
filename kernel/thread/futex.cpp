#include "kernel/thread/futex.hpp"

#include <utility>

#include "kernel/arch/physical.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/processor_random.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

struct Bucket {
    SpinLock lock{LockRank::futex_bucket};
    FutexQueue waiters BASE_GUARDED_BY(lock);
};

// Two buckets, or one and the same twice, in the order of their addresses. Not analysed: whether there are two locks is known when it runs.
class BASE_SCOPED_CAPABILITY BucketsGuard {
public:
    BucketsGuard(Bucket& one, Bucket& other) BASE_ACQUIRE(one.lock, other.lock) BASE_NO_THREAD_SAFETY_ANALYSIS
        : first_(&one < &other ? one : other), second_(&one < &other ? other : one) {
        first_.lock.lock();
        if (&first_ != &second_) second_.lock.lock_beside();
    }
    ~BucketsGuard() BASE_RELEASE() BASE_NO_THREAD_SAFETY_ANALYSIS {
        if (&first_ != &second_) second_.lock.unlock();
        first_.lock.unlock();
    }
    BucketsGuard(const BucketsGuard&) = delete;
    BucketsGuard& operator=(const BucketsGuard&) = delete;

private:
    Bucket& first_;
    Bucket& second_;
};

constinit Bucket buckets[Thread::futex_buckets];

// Which words share a bucket is for nobody to know, and other with every boot: its lock is what they wait for each other at.
constinit std::uint64_t secret = 0;

// Woken or moved under the locks at once.
constexpr unsigned waiters_of_step = 32;

std::uint32_t bucket_number(const FutexKey& key) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    std::uint64_t hash = (reinterpret_cast<std::uint64_t>(key.space) ^ secret) * odd;
    hash = ((hash ^ hash >> 32) + (key.address >> 2)) * (secret | 1);
    hash = (hash ^ hash >> 32) * odd;
    return static_cast<std::uint32_t>((hash >> 32) % Thread::futex_buckets);
}

// A reference to a frame, or nothing. Given back without locks: it may be the last.
class HeldFrame {
public:
    HeldFrame() = default;
    explicit HeldFrame(std::uint64_t frame) : frame_(frame) {}
    HeldFrame(HeldFrame&& other) noexcept : frame_(std::exchange(other.frame_, 0)) {}
    HeldFrame& operator=(HeldFrame&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~HeldFrame() {
        if (frame_) frames::release(frame_);
    }
    std::uint64_t get() const { return frame_; }
    std::uint64_t leave() { return std::exchange(frame_, 0); }

private:
    std::uint64_t frame_ = 0;
};

// A word by its key. The frame is the one behind a shared key, held as long as the key is used: were it free, it could become a stranger's, and his word have the key.
struct Word {
    FutexKey key;
    HeldFrame frame;
};

base::Result<void> check_word(const Space& space, std::uint64_t address) {
    if (address % sizeof(std::uint32_t) != 0) return std::unexpected(abi::Error::bad_argument);
    if (!space.contains(address, sizeof(std::uint32_t))) return std::unexpected(abi::Error::bad_pointer);
    return {};
}

FutexKey private_key(Space& space, std::uint64_t address) { return {base::weakened(base::Weakness::futex_space) ? nullptr : &space, address}; }

// Guests meet within their sandbox alone, whatever Memory their sandboxes share: layers are everybody's. Physical addresses are none of the sandbox' own half.
FutexKey shared_key(Space& space, std::uint64_t physical) {
    return {base::weakened(base::Weakness::futex_space) ? nullptr : space.personality(), physical};
}

// With the word's page brought in where that is needed for the key. Errors: bad_argument, bad_pointer, no_memory.
base::Result<Word> find_word(Space& space, std::uint64_t address, bool shared) {
    TRY(check_word(space, address));
    if (!shared) return Word{private_key(space, address), {}};
    bool shared_page = false;
    HeldFrame frame(TRY(space.take_page(address, abi::protection::read, &shared_page)));
    if (!shared_page) return Word{private_key(space, address), {}};
    const std::uint64_t physical = frame.get() + address % abi::page_size;
    return Word{shared_key(space, physical), std::move(frame)};
}

// A waiter, in no queue now, is to wait at another word. Under the lock of both buckets; the caller holds both frames, so no reference that is given back here is the last.
void move_to(Bucket& bucket, std::uint32_t number, Thread& thread, const Word& target) BASE_REQUIRES(bucket.lock) {
    if (target.frame.get()) frames::retain(target.frame.get());
    if (thread.futex_frame) frames::release(thread.futex_frame);
    thread.futex_frame = target.frame.get();
    thread.futex_bucket.store(number, std::memory_order_relaxed);
    bucket.waiters.push(thread, target.key, thread.futex_bits());
}

} // namespace

void initialize_futexes() {
    secret = base::processor_random().value;
}

base::Result<void> futex_wait(Thread& thread, Space& space, std::uint64_t address, bool shared, std::uint32_t expected, abi::Deadline deadline,
                              std::uint32_t bits) {
    TRY(check_word(space, address));
    if (bits == 0) return std::unexpected(abi::Error::bad_argument);
    for (;; preemption_point()) {
        bool shared_page = false;
        HeldFrame frame(TRY(space.take_page(address, abi::protection::read, &shared_page)));
        const std::uint64_t physical = frame.get() + address % abi::page_size;
        const bool by_frame = shared && shared_page;
        const FutexKey key = by_frame ? shared_key(space, physical) : private_key(space, address);
        const std::uint32_t number = bucket_number(key);
        Bucket& bucket = buckets[number];
        LockGuard guard(bucket.lock);
        // The word is read under the bucket's lock, where it is by now: a change after this is followed by a wake that finds the waiter.
        const auto now = space.translate(address);
        if (!now || *now != physical) continue;
        if (__atomic_load_n(direct<std::uint32_t>(physical), __ATOMIC_SEQ_CST) != expected) return std::unexpected(abi::Error::changed);
        if (deadline == abi::poll) return std::unexpected(abi::Error::timed_out);
        thread.futex_frame = by_frame ? frame.leave() : 0;
        thread.futex_bucket.store(number, std::memory_order_relaxed);
        thread.wait_state().announce();
        bucket.waiters.push(thread, key, bits);
        break;
    }
    const std::int32_t outcome = thread.wait(deadline, {});
    // A requeue may have moved the thread meanwhile. Its bucket is one word, so it is the one of before or the one of after, and stays once that one's lock is held; of its key a part of
    // each could be seen. Who woke it took it off the queue before.
    while (outcome != 0) {
        const std::uint32_t number = thread.futex_bucket.load(std::memory_order_relaxed);
        Bucket& bucket = buckets[number];
        LockGuard guard(bucket.lock);
        if (thread.futex_bucket.load(std::memory_order_relaxed) != number) continue;
        if (thread.in_futex_queue()) bucket.waiters.remove(thread);
        break;
    }
    if (const std::uint64_t frame = std::exchange(thread.futex_frame, 0)) frames::release(frame);
    if (outcome == 0) return {};
    return std::unexpected(static_cast<abi::Error>(-outcome));
}

base::Result<FutexWoken> futex_wake(Space& space, std::uint64_t address, bool shared, std::uint32_t count, std::uint32_t bits, std::uint64_t requeue_to,
                                    std::uint32_t requeue_count) {
    if (bits == 0) return std::unexpected(abi::Error::bad_argument);
    const Word word = TRY(find_word(space, address, shared));
    const FutexKey key = word.key;
    Word target;
    if (requeue_to) target = TRY(find_word(space, requeue_to, shared));
    // Whoever would move to where it waits stays: moved to the end of the same queue it would come by again, `requeue_count` times.
    if (requeue_to && target.key == key) requeue_to = 0;
    Bucket& from = buckets[bucket_number(key)];
    const std::uint32_t target_number = bucket_number(requeue_to ? target.key : key);
    Bucket& to = buckets[target_number];
    // Who waits at what several spaces share does not hold this one, whose address the key of its own words has: woken, it looks for itself.
    const bool stays_known = target.frame.get() != 0 || word.frame.get() == 0;
    FutexWoken done;
    std::uint64_t end = 0;  // the turn of who came after the begin
    std::uint64_t next = 0; // behind those that were left alone
    for (;; preemption_point()) {
        BucketsGuard guard(from, to);
        if (end == 0) end = from.waiters.turn();
        bool more = true;
        for (unsigned i = 0; i < waiters_of_step && more; ++i) {
            FutexNode* const node = done.woken < count || (requeue_to && done.moved < requeue_count) ? from.waiters.first(key, end, next) : nullptr;
            more = node != nullptr;
            if (!more) break;
            Thread& thread = static_cast<Thread&>(*node);
            if ((thread.futex_bits() & bits) == 0) {
                next = thread.futex_turn() + 1;
                continue;
            }
            from.waiters.remove(thread);
            if (done.woken >= count && stays_known) {
                move_to(to, target_number, thread, target);
                ++done.moved;
            } else if (thread.wait_state().claim()) {
                ++(done.woken >= count ? done.moved : done.woken);
                thread.finish_wait(0);
            }
        }
        if (!more) return done;
    }
}

} // namespace kernel
