// The registers of the PC's real-time clock (MC146818 and what followed it), decoded.
#pragma once
#include <cstdint>
#include <optional>

namespace timekeeping {

// As read from the chip, at one moment.
struct RtcRegisters {
    std::uint8_t second, minute, hour, day, month, year, century;
    std::uint8_t status_b; // bit 1: 24 hours, bit 2: binary
    bool operator==(const RtcRegisters&) const = default;
};

// Seconds since 1970 of the UTC time that the registers show; nothing where they show no date at all. A century register of 0 is one that does not exist.
std::optional<std::uint64_t> seconds_since_1970(const RtcRegisters& registers);

} // namespace timekeeping
