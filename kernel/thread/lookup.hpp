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
    default: return true;
    }
}
void record_made(Thread& caller, const Object& object, abi::Rights rights);

// A new slot in the caller's table for an object that was made under no lease. Errors: no_slots, no_memory.
template <class T>
base::Result<std::uint64_t> give(Thread& caller, base::Ref<T> object, abi::Rights rights, LeaseHold hold = {}, std::uint64_t badge = 0) {
    Capability capability;
    capability.object = std::move(object);
    capability.rights = rights;
    capability.hold = std::move(hold);
    capability.badge = badge;
    if constexpr (is_recorded(T::object_kind)) {
        const base::Ref<Object> made = capability.object;
        const auto handle = caller.process().handles().insert(std::move(capability));
        if (handle) record_made(caller, *made, rights);
        return handle;
    }
    return caller.process().handles().insert(std::move(capability));
}

} // namespace kernel
