// From a handle of the calling process to a checked capability: kind, rights and lease in one step.
#pragma once
#include "kernel/object/capability.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

// Whatever the slot holds, a dead capability too: the caller asks valid(). Errors: bad_handle, missing_right.
base::Result<Held<Object>> lookup_any(Thread& caller, abi::Handle handle, abi::Rights rights);

// Errors: bad_handle, revoked, wrong_kind, missing_right.
template <class T>
base::Result<Held<T>> lookup(Thread& caller, abi::Handle handle, abi::Rights rights) {
    return caller.process().handles().with(handle, [rights](const Capability& capability) -> base::Result<Held<T>> {
        if (!capability.hold.valid()) return std::unexpected(abi::Error::revoked);
        if (!capability.is(T::object_kind)) return std::unexpected(abi::Error::wrong_kind);
        if ((capability.rights & rights) != rights && !base::weakened(base::Weakness::handle_rights)) return std::unexpected(abi::Error::missing_right);
        return Held<T>{base::Ref<T>(static_cast<T&>(*capability.object)), capability.badge, capability.hold, capability.rights};
    });
}

// The same for an argument that may be 0: an empty Held then.
template <class T>
base::Result<Held<T>> lookup_optional(Thread& caller, abi::Handle handle, abi::Rights rights) {
    if (handle == abi::no_handle) return Held<T>{};
    return lookup<T>(caller, handle, rights);
}

// Whether the making of such an object is for the audit log. What a process makes for itself alone, out of its own quota, and as fast as it may, is not.
constexpr bool is_recorded(abi::ObjectKind kind) {
    switch (kind) {
    case abi::ObjectKind::thread:
    case abi::ObjectKind::space:
    case abi::ObjectKind::memory:
    case abi::ObjectKind::notification:
    case abi::ObjectKind::port:
    case abi::ObjectKind::reply: return false;
    case abi::ObjectKind::process: return false; // it was, before anybody has it
    default: return true;
    }
}
// `place`: of a device, what of it.
void record_made(Thread& caller, const Object& object, abi::Rights rights, const LeaseHold& hold = {}, std::uint64_t place = 0);

// A new slot in the caller's table for an object that was made under no lease. `under`: of a lease, the one above it. Errors: no_slots, no_memory.
template <class T>
base::Result<std::uint64_t> give(Thread& caller, base::Ref<T> object, abi::Rights rights, LeaseHold hold = {}, std::uint64_t place = 0, const base::Ref<Lease>& under = nullptr) {
    Capability capability;
    capability.object = std::move(object);
    capability.rights = rights;
    if constexpr (is_recorded(T::object_kind)) {
        TRY(caller.pay_for_record());
        const base::Ref<Object> made = capability.object;
        const LeaseHold lease = under ? LeaseHold{under} : hold;
        capability.hold = std::move(hold);
        const auto handle = caller.process().handles().insert(std::move(capability));
        if (handle) record_made(caller, *made, rights, lease, place);
        return handle;
    }
    capability.hold = std::move(hold);
    return caller.process().handles().insert(std::move(capability));
}

} // namespace kernel
