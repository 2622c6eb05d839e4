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

// A new slot in the caller's table for an object that was made under no lease. Errors: no_slots, no_memory.
template <class T>
base::Result<std::uint64_t> give(Thread& caller, base::Ref<T> object, abi::Rights rights, LeaseHold hold = {}, std::uint64_t badge = 0) {
    Capability capability;
    capability.object = std::move(object);
    capability.rights = rights;
    capability.hold = std::move(hold);
    capability.badge = badge;
    return caller.process().handles().insert(std::move(capability));
}

} // namespace kernel
