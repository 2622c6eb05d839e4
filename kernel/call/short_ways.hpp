// What is usual of calls that are made often: under the lock of the caller's table, which keeps what its slots name, and so without a reference. Each gives false, and has done
// nothing, where anything is not as usual; the general way then looks at everything again and says what. The words are the call's arguments as user mode passed them.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/arch/copy_user.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel::short_ways {

// A live capability of T with the right.
template <class T> [[gnu::always_inline]] inline T* usual(const Capability& capability, abi::Rights right) {
    if (!capability.is(T::object_kind) || !(capability.rights & right) || !capability.hold.valid()) return nullptr;
    return static_cast<T*>(capability.object.get());
}

[[gnu::always_inline]] inline bool handle_inspect(Thread& caller, abi::Handle handle, std::uint64_t info, std::uint64_t&) {
    static_assert(sizeof(abi::HandleInfo) == 24);
    std::uint64_t words[3];
    const bool found = caller.process().handles().try_with(handle, [&words](const Capability& capability) {
        if (!(capability.rights & abi::right::inspect)) return false;
        words[2] = capability.hold.lease ? std::uint64_t{1} << 32 | std::uint64_t{!capability.hold.valid()} : 0;
        // One after the other: with all in registers at once, some would have to be saved.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        words[0] = capability.kind_and_rights();
        words[1] = capability.badge;
        return true;
    });
    if (!found || !personality_half().contains(info, sizeof(abi::HandleInfo)) || caller.process().running_space().has_devices()) return false;
    return arch::store_user(info, words[0], words[1], words[2]);
}

// With a reference, which it drops. True.
[[gnu::noinline]] inline bool tell(Notification& notification) {
    notification.tell();
    notification.release();
    return true;
}

[[gnu::always_inline]] inline bool notification_signal(Thread& caller, abi::Handle handle, std::uint64_t bits, std::uint64_t&) {
    Notification* heard = nullptr;
    const bool done = caller.process().handles().try_with(handle, [bits, &heard](const Capability& capability) {
        Notification* const notification = usual<Notification>(capability, abi::right::send);
        const std::uint64_t all = bits | capability.badge;
        if (!notification || all == 0) return false;
        if (notification->add(all)) {
            notification->retain();
            heard = notification;
        }
        return true;
    });
    return heard ? tell(*heard) : done;
}

[[gnu::always_inline]] inline bool notification_wait(Thread& caller, abi::Handle handle, abi::Deadline, std::uint64_t& bits) {
    return caller.process().handles().try_with(handle, [&bits](const Capability& capability) {
        Notification* const notification = usual<Notification>(capability, abi::right::receive);
        bits = notification ? notification->take() : 0;
        return bits != 0;
    });
}

} // namespace kernel::short_ways
