#include "services/engine/moment.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::uint64_t most_seconds = 9'000'000'000; // some of them are not yet more nanoseconds than a number holds
constexpr std::uint64_t longest_duration = 7'000'000'000; // seconds: nor are they with the time of now, whichever way

ApiError no_time(std::string_view text) { return bad_request("invalid time: " + std::string(text)); }

// In nanoseconds; nothing where it is no duration.
std::optional<std::int64_t> parse_duration(std::string_view text) {
    constexpr std::pair<std::string_view, double> units[] = {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const bool negative = services::consume(text, "-");
    if (!negative) services::consume(text, "+");
    if (text.empty()) return std::nullopt;
    double sum = 0;
    while (!text.empty()) {
        double number = 0;
        // No sign, no exponent.
        const auto end = text.find_first_not_of("0123456789.");
        const auto [stop, error] = std::from_chars(text.data(), text.data() + std::min(end, text.size()), number, std::chars_format::fixed);
        if (error != std::errc() || stop != text.data() + std::min(end, text.size())) return std::nullopt;
        text.remove_prefix(std::min(end, text.size()));
        const auto unit = std::ranges::find_if(units, [&](const auto& each) {
            return text.starts_with(each.first) && (text.size() == each.first.size() || std::string_view("0123456789.").contains(text[each.first.size()]));
        });
        if (unit == std::end(units)) return std::nullopt;
        text.remove_prefix(unit->first.size());
        sum += number * unit->second;
    }
    if (!(sum < static_cast<double>(longest_duration) * 1e9)) return std::nullopt;
    return static_cast<std::int64_t>(negative ? -sum : sum);
}

// RFC 3339, or the beginning of one.
std::optional<std::int64_t> parse_date(std::string_view text) {
    constexpr std::size_t day = 10, minute = 16;
    if (text.size() < day || text[4] != '-') return std::nullopt;
    std::string whole(text);
    if (whole.size() == day) whole += "T00:00";
    if (whole.size() == minute) whole += ":00";
    if (whole.find_first_of("Zz+-", day) == std::string::npos) whole += "Z";
    const auto seconds = services::parse_time(whole);
    if (!seconds || *seconds < 0 || *seconds > static_cast<std::int64_t>(most_seconds)) return std::nullopt;
    return *seconds * second;
}

} // namespace

std::optional<std::int64_t> parse_moment(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const auto dot = text.find('.');
    const auto seconds = services::parse_number(text.substr(0, dot));
    std::string fraction(dot == std::string_view::npos ? "" : text.substr(dot + 1));
    fraction.resize(9, '0');
    const auto nanoseconds = services::parse_number(fraction);
    if (!seconds || !nanoseconds || *seconds > most_seconds) throw no_time(text);
    return static_cast<std::int64_t>(*seconds * 1'000'000'000 + *nanoseconds);
}

std::int64_t parse_past_moment(std::string_view text, std::int64_t now) {
    if (const auto duration = parse_duration(text)) return now - *duration;
    if (const auto date = parse_date(text)) return *date;
    const auto moment = parse_moment(text);
    if (!moment) throw no_time(text);
    return *moment;
}

} // namespace engine
