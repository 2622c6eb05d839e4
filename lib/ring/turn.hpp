// A server's turn at one ring. The peer is hostile and may write for as long as it is read, so a turn has a bound; what it leaves waits until others had theirs.
#pragma once
#include "lib/ring/ring.hpp"

namespace ring {

// Of one turn: looks at the ring, and bytes with the records' headers. The last record may go past the bytes.
struct TurnBound {
    std::size_t records;
    std::uint64_t bytes;
};

enum class AfterTurn : std::uint8_t {
    wait,   // nothing is there; the peer rings the bell for what comes
    more,   // the bound is reached: no bell rings for what is left, so who took the turn has to look again by itself
    ended,  // nothing is there, and nothing will come
    broken, // the peer broke the ring, or `take` refused a record
};

// Calls `take` (`bool (const Consumer::Record&, std::span<const std::byte> payload)`; false refuses it, and ends the turn) for each record, which is consumed by then.
// Of a payload longer than `buffer` comes what fits. The producer's bell is the caller's to ring.
template <class Take> AfterTurn take_turn(Consumer& in, std::span<std::byte> buffer, const TurnBound& bound, Take take) {
    std::uint64_t bytes = 0;
    // Looks are counted, not records: who opens and closes its end in turn keeps nobody here either.
    for (std::size_t looks = 0; looks < bound.records && bytes < bound.bytes; ++looks) {
        const auto record = in.peek();
        if (record) {
            const std::size_t length = in.copy(*record, 0, buffer);
            in.consume(*record);
            bytes += sizeof(abi::RecordHeader) + record->length;
            if (!take(*record, std::span<const std::byte>(buffer.first(length))))
                return AfterTurn::broken;
        } else if (record.error() == abi::Error::peer_closed)
            return AfterTurn::ended;
        else if (record.error() != abi::Error::would_block)
            return AfterTurn::broken;
        else if (in.must_wait())
            return AfterTurn::wait;
    }
    return AfterTurn::more;
}

} // namespace ring
