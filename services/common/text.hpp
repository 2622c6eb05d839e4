// Small text helpers of the services.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace services {

std::string hexadecimal(std::span<const unsigned char> bytes);
// `count` random bytes as hexadecimal digits. Throws where the system has no entropy.
std::string random_hexadecimal(std::size_t count);
std::vector<std::string> split(std::string_view text, char separator);
// The whole text as a decimal number; nothing for signs, other characters or an overflow.
std::optional<std::uint64_t> parse_number(std::string_view text);
std::string lower(std::string_view text);
// RFC 3339 in UTC with nine digits of the second, as Docker writes times. Zero gives Docker's "never": 0001-01-01T00:00:00Z.
std::string format_time(std::int64_t realtime_nanoseconds);
// The seconds since 1970 of an RFC 3339 time, fractions cut; nothing where it is none.
std::optional<std::int64_t> parse_time(std::string_view text);
std::int64_t realtime_nanoseconds();
bool is_hexadecimal(std::string_view text);
// Takes `begin` off the front; false where it is not there.
bool consume(std::string_view& text, std::string_view begin);

} // namespace services
