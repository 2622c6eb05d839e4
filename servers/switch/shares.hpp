// What each sender may take of a receiver's ring: so much that whoever comes next still finds room, however fast others send and however slowly the receiver reads. A sender may have
// unread bytes there, the next frame's with them, up to `factor` times what is free (dynamic thresholds: Choudhury and Hahne, 1998): alone it gets most of the ring, and n of them that flood it leave 1/(factor n + 1).
//
// What a sender has unread is counted in generations of half a ring, the one under way and the two before, which are all that a ring can hold; so the time and the memory that it takes do not
// depend on the number of frames. A generation that was read in part counts whole.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace netswitch {

template <std::size_t senders> class Shares {
public:
    static constexpr std::uint64_t factor = 8;

    // Whether a frame of `sender` may go into the ring, as `bytes` of it. `produced`: bytes that were ever put into it; `room`: bytes of it that are free.
    bool may_add(std::size_t sender, std::uint64_t bytes, std::uint64_t produced, std::uint64_t room, std::uint64_t capacity) const {
        const std::uint64_t consumed = produced - (capacity - room);
        std::uint64_t unread = 0;
        for (const Generation& generation : generations_)
            if (generation.end > consumed) unread += generation.bytes[sender];
        return unread + bytes <= factor * room;
    }
    // It went in; `produced` is with it.
    void add(std::size_t sender, std::uint64_t bytes, std::uint64_t produced, std::uint64_t capacity) {
        if (produced - begin_ > capacity / 2) {
            begin_ = produced - bytes;
            current_ = (current_ + 1) % generations_.size();
            generations_[current_].bytes = {};
        }
        generations_[current_].end = produced;
        generations_[current_].bytes[sender] += static_cast<std::uint32_t>(bytes);
    }

private:
    struct Generation {
        std::uint64_t end = 0; // in bytes ever produced
        std::array<std::uint32_t, senders> bytes{};
    };
    std::array<Generation, 3> generations_{};
    std::size_t current_ = 0;
    std::uint64_t begin_ = 0; // of the current one, in bytes ever produced
};

} // namespace netswitch
