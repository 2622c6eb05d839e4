// The payload of channels: a request or reply is this header and TLV records.
#pragma once
#include "abi/types.hpp"

namespace abi {

inline constexpr std::size_t channel_buffer_bytes = 128 * 1024;
inline constexpr std::size_t channel_handles = 4;

struct ChannelHeader {
    std::uint32_t message; // number; the reply repeats it
    std::int32_t status;   // requests: 0. Replies: 0 or a negative abi::Error
};

} // namespace abi
