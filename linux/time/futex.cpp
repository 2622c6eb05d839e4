#include "linux/time/futex.hpp"

#include "linux/calls/waiting.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/memory/user_word.hpp"
#include "linux/task/park.hpp"

#include <array>

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;
using Key = MemoryMap::FutexKey;

// In the bucket of its key while it waits. Sandbox lock.
struct FutexWaiter : base::ListNode {
    Key key{};
    Task* task = nullptr;
    std::uint32_t bits = 0;
    bool woken = false;
};

namespace {

namespace operation {
constexpr std::uint32_t wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wake_operation = 5, wait_bits = 9, wake_bits = 10, private_flag = 128, realtime = 256, mask = 127;
}
constexpr std::uint32_t any_bits = 0xffffffff;
constexpr std::uint32_t waiters_bit = 0x80000000, owner_died_bit = 0x40000000, owner_mask = 0x3fffffff;

constinit std::array<base::List<FutexWaiter>, 256> buckets;

base::List<FutexWaiter>& bucket_of(const Key& key) {
    const std::uint64_t mixed = (reinterpret_cast<std::uint64_t>(key.object) >> 4 ^ key.offset >> 2) * 0x9e3779b97f4a7c15ull;
    return buckets[mixed >> 56];
}

// Lock held.
LinuxResult<Key> key_of(Task& task, std::uint64_t address, bool shared) {
    if (address % 4 != 0)
        return fail(Errno::EINVAL);
    if (!user_range(address, 4))
        return fail(Errno::EFAULT);
    if (!shared)
        return Key{task.process().memory.get(), address};
    return task.process().memory->shared_futex_key(address);
}

// Lock held.
std::uint32_t wake(const Key& key, std::uint32_t count, std::uint32_t bits) {
    std::uint32_t woken = 0;
    auto& bucket = bucket_of(key);
    for (auto at = bucket.begin(); at != bucket.end() && woken < count;) {
        FutexWaiter& waiter = *at;
        ++at;
        if (!(waiter.key == key) || (waiter.bits & bits) == 0)
            continue;
        bucket.remove(waiter);
        waiter.woken = true;
        wake_task(*waiter.task);
        ++woken;
    }
    return woken;
}

CallResult wait(Task& task, std::uint64_t address, std::uint32_t expected, abi::Deadline deadline, std::uint32_t bits, bool shared) {
    if (bits == 0)
        return fail(Errno::EINVAL);
    FutexWaiter waiter;
    waiter.task = &task;
    waiter.bits = bits;
    {
        SandboxLock lock;
        waiter.key = TRY(key_of(task, address, shared));
        bucket_of(waiter.key).push_back(waiter);
    }
    // Queued first, read then: a waker changes the word before it looks for waiters, so one of the two sees the other.
    const auto value = UserPtr<std::uint32_t>(address).read();
    SandboxLock lock;
    LinuxResult<void> slept;
    if (!value)
        slept = fail(value.error());
    else if (*value != expected)
        slept = fail(Errno::EAGAIN);
    else
        slept = sleep(task, waiter.woken, deadline);
    if (waiter.woken)
        return 0;
    waiter.unlink(); // a requeue may have put it into another bucket
    return fail(slept ? Errno::EAGAIN : slept.error());
}

LinuxResult<std::uint32_t> modify(std::uint64_t address, std::uint32_t code) {
    const std::uint32_t kind = code >> 28 & 7;
    std::uint32_t argument = static_cast<std::uint32_t>(static_cast<std::int32_t>(code << 8) >> 20);
    if ((code & 0x80000000) != 0)
        argument = 1u << (argument & 31);
    std::uint32_t old = TRY(UserPtr<std::uint32_t>(address).read());
    for (;;) {
        std::uint32_t fresh = 0;
        switch (kind) {
        case 0: fresh = argument; break;
        case 1: fresh = old + argument; break;
        case 2: fresh = old | argument; break;
        case 3: fresh = old & ~argument; break;
        case 4: fresh = old ^ argument; break;
        default: return fail(Errno::ENOSYS);
        }
        const std::uint32_t found = TRY(compare_exchange_user(address, old, fresh));
        if (found == old)
            return old;
        old = found;
    }
}

bool compare(std::uint32_t old, std::uint32_t code) {
    const auto value = static_cast<std::int32_t>(old), with = static_cast<std::int32_t>(code << 20) >> 20;
    switch (code >> 24 & 15) {
    case 0: return value == with;
    case 1: return value != with;
    case 2: return value < with;
    case 3: return value <= with;
    case 4: return value > with;
    case 5: return value >= with;
    default: return false;
    }
}

CallResult requeue(Task& task, const CallArguments& arguments, bool shared, bool compares) {
    const std::int32_t wakes = arguments.i32(2), moves = arguments.i32(3);
    if (wakes < 0 || moves < 0)
        return fail(Errno::EINVAL);
    if (compares && TRY(arguments.pointer<std::uint32_t>(0).read()) != arguments.u32(5))
        return fail(Errno::EAGAIN);
    const SandboxLock lock;
    const Key from = TRY(key_of(task, arguments[0], shared)), to = TRY(key_of(task, arguments[4], shared));
    std::uint32_t done = wake(from, static_cast<std::uint32_t>(wakes), any_bits);
    if (from == to)
        return done;
    std::int32_t moved = 0;
    auto& bucket = bucket_of(from);
    for (auto at = bucket.begin(); at != bucket.end() && moved < moves;) {
        FutexWaiter& waiter = *at;
        ++at;
        if (!(waiter.key == from))
            continue;
        bucket.remove(waiter);
        waiter.key = to;
        bucket_of(to).push_back(waiter);
        ++moved;
    }
    return done + (compares ? static_cast<std::uint32_t>(moved) : 0u);
}

LinuxResult<abi::Deadline> deadline_of(std::uint64_t address, bool absolute, bool realtime) {
    if (!absolute || address == 0)
        return load_timeout(address, false);
    std::int64_t value[2];
    TRY(copy_in(std::as_writable_bytes(std::span(value)), address));
    if (value[0] < 0 || value[1] < 0 || value[1] >= 1'000'000'000)
        return fail(Errno::EINVAL);
    if (value[0] > 9'000'000'000)
        return abi::never;
    const std::int64_t time = value[0] * 1'000'000'000 + value[1] - (realtime ? realtime_offset() : 0);
    return time < 0 ? abi::Deadline{1} : static_cast<abi::Deadline>(time);
}

} // namespace

LinuxResult<std::uint64_t> wake_futex(Task& task, std::uint64_t address, std::uint32_t count) {
    const SandboxLock lock;
    std::uint32_t woken = wake(TRY(key_of(task, address, false)), count, any_bits);
    if (woken < count)
        if (const auto shared = key_of(task, address, true))
            woken += wake(*shared, count - woken, any_bits);
    return woken;
}

void release_robust_list(Task& task) {
    if (task.robust_list == 0)
        return;
    struct Head {
        std::uint64_t first;
        std::int64_t offset;
        std::uint64_t pending;
    };
    const auto head = UserPtr<Head>(task.robust_list).read();
    if (!head)
        return;
    const auto release = [&](std::uint64_t entry) {
        const std::uint64_t address = (entry & ~std::uint64_t{1}) + static_cast<std::uint64_t>(head->offset);
        auto value = UserPtr<std::uint32_t>(address).read();
        while (value && (*value & owner_mask) == static_cast<std::uint32_t>(task.tid)) {
            const auto found = compare_exchange_user(address, *value, (*value & waiters_bit) | owner_died_bit);
            if (!found)
                return;
            if (*found == *value) {
                if ((*value & waiters_bit) != 0)
                    (void)wake_futex(task, address, 1);
                return;
            }
            value = found;
        }
    };
    // The list is the program's: it may be endless.
    constexpr unsigned most_entries = 2048;
    std::uint64_t entry = head->first;
    for (unsigned i = 0; i < most_entries && (entry & ~std::uint64_t{1}) != task.robust_list; ++i) {
        const auto next = UserPtr<std::uint64_t>(entry & ~std::uint64_t{1}).read();
        if (entry != head->pending)
            release(entry);
        if (!next)
            return;
        entry = *next;
    }
    if (head->pending != 0)
        release(head->pending);
}

CallResult sys_futex(Task& task, const CallArguments& arguments) {
    const std::uint32_t code = arguments.u32(1);
    const bool shared = (code & operation::private_flag) == 0, realtime = (code & operation::realtime) != 0;
    const std::uint64_t address = arguments[0];
    switch (code & operation::mask) {
    case operation::wait: return wait(task, address, arguments.u32(2), TRY(deadline_of(arguments[3], false, realtime)), any_bits, shared);
    case operation::wait_bits: return wait(task, address, arguments.u32(2), TRY(deadline_of(arguments[3], true, realtime)), arguments.u32(5), shared);
    case operation::wake: case operation::wake_bits: {
        const std::uint32_t bits = (code & operation::mask) == operation::wake ? any_bits : arguments.u32(5);
        if (bits == 0)
            return fail(Errno::EINVAL);
        const SandboxLock lock;
        const std::int32_t count = arguments.i32(2);
        return wake(TRY(key_of(task, address, shared)), count < 1 ? 1 : static_cast<std::uint32_t>(count), bits);
    }
    case operation::requeue: return requeue(task, arguments, shared, false);
    case operation::compare_requeue: return requeue(task, arguments, shared, true);
    case operation::wake_operation: {
        const std::uint32_t old = TRY(modify(arguments[4], arguments.u32(5)));
        const SandboxLock lock;
        std::uint32_t woken = wake(TRY(key_of(task, address, shared)), arguments.u32(2), any_bits);
        if (compare(old, arguments.u32(5)))
            woken += wake(TRY(key_of(task, arguments[4], shared)), arguments.u32(3), any_bits);
        return woken;
    }
    default: return fail(Errno::ENOSYS); // priority inheritance
    }
}

} // namespace personality
