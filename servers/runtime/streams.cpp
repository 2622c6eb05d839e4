#include "servers/runtime/streams.hpp"

namespace runtime {

base::Result<ring::Handles> Streams::engine_end(std::size_t index, abi::Handle quota) {
    if (!pairs_[index])
        pairs_[index] = TRY(ring::Pair::create(quota, abi::RingUse::bytes, ring_bytes, ring::Side::a));
    return pairs_[index].peer_handles();
}

base::Result<ring::Handles> Streams::sandbox_end(std::size_t index) const {
    if (!pairs_[index])
        return base::fail(abi::Error::bad_state);
    // The peer waits on what this side signals, and the other way round.
    const ring::Handles peer = pairs_[index].peer_handles();
    return ring::Handles{peer.memory, peer.signal, peer.wait};
}

void Streams::hang_up() {
    for (ring::Pair& pair : pairs_)
        pair.hang_up();
}

void Streams::reset() {
    for (ring::Pair& pair : pairs_)
        pair = {};
}

} // namespace runtime
