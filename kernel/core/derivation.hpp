// The rules by which one capability is made from another: rights only shrink, a badge that is set stays, a lease only narrows. Pure, so that host tests walk them.
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "lib/base/ref.hpp"
#include "lib/base/result.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

// The rights that a derived capability gets: `wanted` must be a subset; 0 stands for "the same". Errors: missing_right.
inline base::Result<abi::Rights> shrink_rights(abi::Rights held, abi::Rights wanted) {
    if (wanted == 0) return held;
    if ((wanted & ~held) && !base::weakened(base::Weakness::derive_rights)) return std::unexpected(abi::Error::missing_right);
    return wanted;
}

// The badge that a derived capability gets; 0 stands for "the same". `takes_badge`: objects of this kind tell their users by badges. Errors: bad_argument.
inline base::Result<std::uint64_t> derive_badge(std::uint64_t held, std::uint64_t wanted, bool takes_badge) {
    if (wanted == 0) return held;
    const bool badged = held != 0 && !base::weakened(base::Weakness::badge_change);
    if (badged || !takes_badge) return std::unexpected(abi::Error::bad_argument);
    return wanted;
}

// The hold of a capability derived from one under `source`: under `lease` where one is given, which must then lie within the source's. `Hold` is a lease
// with the generation that it had, and can tell whether it is valid; `lease->node()` is a LeaseNode. Errors: revoked, bad_argument.
template <class Hold, class Lease> base::Result<Hold> derive_under(const Hold& source, const base::Ref<Lease>& lease) {
    if (!source.valid()) return std::unexpected(abi::Error::revoked);
    if (!lease) return source;
    if (source.lease && !lease->node().is_within(source.lease->node())) return std::unexpected(abi::Error::bad_argument);
    const std::uint64_t generation = lease->node().generation();
    if (generation != 0) return std::unexpected(abi::Error::revoked);
    return Hold{lease, generation};
}

} // namespace kernel
