// CRC-32C (Castagnoli), as EROFS uses it for its superblock.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

namespace detail {
// Reflected polynomial 0x1edc6f41.
constexpr std::array<std::uint32_t, 256> crc32c_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
        table[i] = value;
    }
    return table;
}();
} // namespace detail

// Goes on from `crc`; without the inversion at the start and the end, which callers add as their format says.
constexpr std::uint32_t crc32c_raw(std::uint32_t crc, std::span<const std::byte> bytes) {
    for (const std::byte value : bytes)
        crc = (crc >> 8) ^ detail::crc32c_table[(crc ^ std::to_integer<std::uint32_t>(value)) & 0xff];
    return crc;
}

// The usual form: inverted at the start and the end.
constexpr std::uint32_t crc32c(std::span<const std::byte> bytes) {
    return ~crc32c_raw(~0u, bytes);
}

} // namespace base
