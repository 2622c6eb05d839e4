#include "servers/runtime/streams.hpp"

#include "lib/base/weaken.hpp"

#include <utility>

namespace runtime {

base::Result<ring::Handles> Streams::engine_end(std::size_t index, abi::Handle quota) {
    if (!pairs_[index])
        pairs_[index] = TRY(ring::Pair::create(quota, abi::RingUse::bytes, ring_bytes, ring::Side::a));
    return pairs_[index].peer_handles();
}

base::Result<ring::Handles> Streams::sandbox_end(std::size_t index) {
    if (!pairs_[index])
        return base::fail(abi::Error::bad_state);
    if (std::exchange(given_[index], true) && !base::weakened(base::Weakness::stream_once))
        return base::fail(abi::Error::exists);
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
    given_ = {};
}

} // namespace runtime
