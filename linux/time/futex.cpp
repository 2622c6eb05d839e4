#include "linux/time/futex.hpp"

#include "abi/thread_page.hpp"
#include "lib/native/kernel.hpp"
#include "linux/calls/waiting.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/memory/user_word.hpp"

namespace personality {

using CallResult = LinuxResult<std::uint64_t>;

namespace {

namespace operation {
constexpr std::uint32_t wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wake_operation = 5, wait_bits = 9, wake_bits = 10, private_flag = 128, realtime = 256, mask = 127;
}
constexpr std::uint32_t any_bits = native::any_futex_bits;
constexpr std::uint32_t waiters_bit = 0x80000000, owner_died_bit = 0x40000000, owner_mask = 0x3fffffff;

std::uint32_t flags_of(bool shared) { return native::futex_flag::guest | (shared ? native::futex_flag::shared : 0); }

Errno error_of(abi::Error error) {
    switch (error) {
    case abi::Error::bad_argument: return Errno::EINVAL;
    case abi::Error::changed: return Errno::EAGAIN;
    case abi::Error::timed_out: return Errno::ETIMEDOUT;
    case abi::Error::no_memory: return Errno::ENOMEM;
    default: return Errno::EFAULT;
    }
}

struct Woken {
    std::uint32_t woken, moved;
};

// The waiters are the kernel's: its queue holds those of the guests' fast calls too. Of the task's own memory.
LinuxResult<Woken> wake(std::uint64_t address, bool shared, std::uint32_t count, std::uint32_t bits, std::uint64_t requeue_to = 0, std::uint32_t moves = 0) {
    if (bits == 0 || address % sizeof(std::uint32_t) != 0)
        return fail(Errno::EINVAL);
    auto done = native::call::futex_wake(address, count, flags_of(shared), requeue_to, moves, bits);
    // A page that the kernel has not got yet, as of a file that grew: the look brings it in.
    if (!done && done.error() == abi::Error::bad_pointer && UserPtr<std::uint32_t>(address).read() && (requeue_to == 0 || UserPtr<std::uint32_t>(requeue_to).read()))
        done = native::call::futex_wake(address, count, flags_of(shared), requeue_to, moves, bits);
    if (!done)
        return fail(error_of(done.error()));
    return Woken{static_cast<std::uint32_t>(*done), static_cast<std::uint32_t>(*done >> 32)};
}

CallResult wait(Task& task, std::uint64_t address, std::uint32_t expected, abi::Deadline deadline, std::uint32_t bits, bool shared) {
    if (bits == 0 || address % sizeof(std::uint32_t) != 0)
        return fail(Errno::EINVAL);
    for (bool looked = false;;) {
        // Whoever has something for the task sets `attention` and then kicks it, which ends the kernel's wait, this one or the next: there is none in between.
        if (task.attention.load(std::memory_order_seq_cst)) {
            const SandboxLock lock;
            if (task.signal_pending())
                return fail(Errno::ERESTARTSYS);
        }
        ++task.voluntary_switches;
        __atomic_store_n(&task.page->restricted.asleep, 1, __ATOMIC_RELAXED);
        const auto waited = native::call::futex_wait(address, expected, deadline, flags_of(shared), bits);
        __atomic_store_n(&task.page->restricted.asleep, 0, __ATOMIC_RELAXED);
        if (waited)
            return 0;
        if (waited.error() == abi::Error::canceled)
            continue;
        // As in wake().
        if (waited.error() == abi::Error::bad_pointer && !looked && UserPtr<std::uint32_t>(address).read()) {
            looked = true;
            continue;
        }
        return fail(error_of(waited.error()));
    }
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

CallResult requeue(const CallArguments& arguments, bool shared, bool compares) {
    const std::int32_t wakes = arguments.i32(2), moves = arguments.i32(3);
    if (wakes < 0 || moves < 0)
        return fail(Errno::EINVAL);
    // 0 is the kernel's word for no second place, and no place of a futex.
    if (arguments[4] == 0)
        return fail(Errno::EFAULT);
    if (compares && TRY(arguments.pointer<std::uint32_t>(0).read()) != arguments.u32(5))
        return fail(Errno::EAGAIN);
    const Woken done = TRY(wake(arguments[0], shared, static_cast<std::uint32_t>(wakes), any_bits, arguments[4], static_cast<std::uint32_t>(moves)));
    return done.woken + (compares ? done.moved : 0u);
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

LinuxResult<std::uint64_t> wake_futex(std::uint64_t address, std::uint32_t count) {
    std::uint32_t woken = TRY(wake(address, false, count, any_bits)).woken;
    if (woken < count)
        if (const auto shared = wake(address, true, count - woken, any_bits))
            woken += shared->woken;
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
                    (void)wake_futex(address, 1);
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
        const std::int32_t count = arguments.i32(2);
        const std::uint32_t bits = (code & operation::mask) == operation::wake ? any_bits : arguments.u32(5);
        return TRY(wake(address, shared, count < 1 ? 1 : static_cast<std::uint32_t>(count), bits)).woken;
    }
    case operation::requeue: return requeue(arguments, shared, false);
    case operation::compare_requeue: return requeue(arguments, shared, true);
    case operation::wake_operation: {
        const std::uint32_t old = TRY(modify(arguments[4], arguments.u32(5)));
        std::uint32_t woken = TRY(wake(address, shared, arguments.u32(2), any_bits)).woken;
        if (compare(old, arguments.u32(5)))
            woken += TRY(wake(arguments[4], shared, arguments.u32(3), any_bits)).woken;
        return woken;
    }
    default: return fail(Errno::ENOSYS); // priority inheritance
    }
}

} // namespace personality
