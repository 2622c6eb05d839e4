// The records that a port's sandbox sent, one by one. What is no frame is dropped in the sender's own turn, as on a cable: it costs as much as a frame of its length.
#pragma once
#include "lib/ring/ring.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace netswitch {

constexpr std::uint32_t ethernet_record = 1;

class Inbox {
public:
    static constexpr std::uint32_t least_cost = 64; // bytes

    // What the next record takes of its sender's turn, in bytes. Errors: as Consumer::peek.
    base::Result<std::uint32_t> next(ring::Consumer& in) {
        next_ = TRY(in.peek());
        return std::max(next_.length, least_cost);
    }
    // Takes the record that `next` found. Its frame, in `buffer`; empty where it is none.
    std::span<std::byte> take(ring::Consumer& in, std::span<std::byte> buffer) const {
        const bool frame = next_.kind == ethernet_record && next_.length <= buffer.size();
        const std::size_t length = frame ? in.copy(next_, 0, buffer) : 0;
        in.consume(next_);
        return buffer.first(length);
    }

private:
    ring::Consumer::Record next_{};
};

} // namespace netswitch
