// The layout of an XSAVE area and the check of one that user mode wrote. No architecture instructions, so the host tests drive it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace kernel {

// SDM volume 1, 10.5.1 and 13.4.
namespace vector_area {

inline constexpr std::size_t legacy_bytes = 512;
inline constexpr std::size_t header_bytes = 64;
inline constexpr std::size_t control_word = 0;
inline constexpr std::size_t mxcsr = 24;
inline constexpr std::size_t mxcsr_mask = 28;
inline constexpr std::size_t components = legacy_bytes;
inline constexpr std::size_t compaction = legacy_bytes + 8;
inline constexpr std::uint64_t x87_and_sse = 3;

inline void initialise(std::byte* area, std::size_t bytes) {
    std::memset(area, 0, bytes);
    const std::uint16_t initial_control = 0x37f;
    const std::uint32_t initial_mxcsr = 0x1f80;
    std::memcpy(area + control_word, &initial_control, sizeof(initial_control));
    std::memcpy(area + mxcsr, &initial_mxcsr, sizeof(initial_mxcsr));
}

// Makes what was read from user mode safe for XRSTOR, which faults on reserved bits: unknown components, a compacted form, a header that is not zero, MXCSR bits
// that the processor does not have. `length` bytes were read; the rest of the area must be zero. Errors: bad_argument.
inline base::Result<void> sanitise(std::byte* area, std::size_t length, std::uint64_t supported, std::uint32_t supported_mxcsr) {
    std::uint64_t present = x87_and_sse;
    if (length > legacy_bytes) {
        if (length < legacy_bytes + header_bytes) return std::unexpected(abi::Error::bad_argument);
        std::memcpy(&present, area + components, sizeof(present));
        if (present & ~supported) return std::unexpected(abi::Error::bad_argument);
    }
    std::memset(area + legacy_bytes, 0, header_bytes);
    std::memcpy(area + components, &present, sizeof(present));
    std::uint32_t control;
    std::memcpy(&control, area + mxcsr, sizeof(control));
    control &= supported_mxcsr;
    std::memcpy(area + mxcsr, &control, sizeof(control));
    return {};
}

} // namespace vector_area

} // namespace kernel
