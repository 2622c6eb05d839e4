// A capability: an object with rights, a badge and the lease that it lies under. What a slot holds, and what travels in messages.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "abi/types.hpp"
#include "kernel/core/derivation.hpp"
#include "kernel/object/lease.hpp"
#include "kernel/object/object.hpp"
#include "lib/base/ref.hpp"
#include "lib/base/result.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

// The lease of a capability as it was when the capability was made. Empty: lies under no lease and lives until it is closed.
struct LeaseHold {
    base::Ref<Lease> lease;
    std::uint64_t generation = 0;

    bool valid() const { return !lease || lease->node().valid(generation) || base::weakened(base::Weakness::lease_generation); }
};

struct Capability {
    base::Ref<Object> object;
    std::uint64_t badge = 0;
    LeaseHold hold;
    std::uint32_t kind = 0; // ObjectKind of the object, for what lies in a slot: a look-up needs not go to the object
    abi::Rights rights = 0;

    explicit operator bool() const { return static_cast<bool>(object); }
    std::uint64_t kind_and_rights() const { return std::bit_cast<std::uint64_t>(std::array{kind, rights}); }
    bool is(abi::ObjectKind asked) const { return kind == static_cast<std::uint32_t>(asked); }
};

// A capability whose object was checked to be of kind T: what the call handlers get.
template <class T>
struct Held {
    base::Ref<T> object;
    std::uint64_t badge = 0;
    LeaseHold hold;
    abi::Rights rights = 0;

    T* operator->() const { return object.get(); }
    T& operator*() const { return *object; }
    explicit operator bool() const { return static_cast<bool>(object); }
    bool valid() const { return hold.valid(); }
};

// The hold of a capability derived from one under `source`: under `lease` where one is given, which must then lie within the source's.
// Errors: revoked, bad_argument.
base::Result<LeaseHold> derive_hold(const LeaseHold& source, const base::Ref<Lease>& lease);

} // namespace kernel
