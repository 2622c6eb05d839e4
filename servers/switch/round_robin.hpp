// Deficit round robin (Shreedhar and Varghese, 1995) over the ports' rings: each gets the same share of bytes, whatever the size of its frames and however many it sends.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace netswitch {

template <std::size_t most> class RoundRobin {
public:
    static constexpr std::uint32_t quantum = 2 * 1514;

    enum class Outcome { idle, more, blocked };
    // Serves each of the sources 0..count-1 once. Source has: `std::optional<std::uint32_t> next_length(std::size_t)` (bytes of the next frame; nothing: none
    // there), `void forward(std::size_t)` (takes it) and `bool room()` (whether another frame can go out). Blocked: no room; the next call goes on at that source.
    template <class Source> Outcome run(Source& source, std::size_t count) {
        bool more = false;
        if (next_ >= count)
            next_ = 0;
        for (std::size_t turn = 0; turn < count; ++turn) {
            const std::size_t at = next_;
            if (!resumed_)
                deficit_[at] += quantum;
            resumed_ = false;
            std::optional<std::uint32_t> length;
            while ((length = source.next_length(at)) && *length <= deficit_[at]) {
                if (!source.room()) {
                    resumed_ = true;
                    return Outcome::blocked;
                }
                deficit_[at] -= *length;
                source.forward(at);
            }
            if (length)
                more = true;
            else
                deficit_[at] = 0;
            next_ = at + 1 < count ? at + 1 : 0;
        }
        return more ? Outcome::more : Outcome::idle;
    }

private:
    std::array<std::uint32_t, most> deficit_{};
    std::size_t next_ = 0;
    bool resumed_ = false; // the source at `next_` keeps the turn that it was stopped in
};

} // namespace netswitch
