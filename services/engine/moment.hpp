// Times as parameters of the API give them.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace engine {

// "1700000000" or "1700000000.5": nanoseconds since 1970. Nothing where the text is empty; throws ApiError 400 where it is no time.
std::optional<std::int64_t> parse_moment(std::string_view text);
// The same where a client may also write a date ("2026-01-31", "2026-01-31T12:30", RFC 3339; in UTC where no zone is said) or how long before `now` ("1h30m", Go's form of durations).
std::int64_t parse_past_moment(std::string_view text, std::int64_t now);

} // namespace engine
