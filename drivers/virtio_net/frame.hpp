// What a network card (VirtIO 1.1, 5.1) says of itself and of what came, as far as it is believed.
#pragma once
#include "lib/base/weaken.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace virtio_net {

inline constexpr std::uint32_t header_bytes = 12; // struct virtio_net_hdr; zero: no checksum, no segmentation
inline constexpr std::uint32_t largest_frame = 1514, smallest_frame = 14;

// The Ethernet frame in a buffer of which the device filled `length` bytes (at most all); empty where there is none. The header is not looked at: nothing that it could ask
// for was agreed to.
inline std::span<const std::byte> frame_in(std::span<const std::byte> buffer, std::uint32_t length) {
    const bool fits = length >= header_bytes + smallest_frame && length <= header_bytes + largest_frame;
    if (!fits && !base::weakened(base::Weakness::frame_length))
        return {};
    return buffer.first(length).subspan(length < header_bytes ? length : header_bytes);
}

// The card's address, the first byte lowest: `offered` where it is one station's, else one that is made up (locally administered).
inline std::uint64_t station_address(std::uint64_t offered) {
    constexpr std::uint64_t made_up = 0xfe'ff'ff'00'54'02;
    constexpr std::uint64_t group = 1; // of the first byte
    return offered == 0 || (offered & group) != 0 ? made_up : offered;
}

} // namespace virtio_net
