#include "services/common/text.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <sys/random.h>

namespace services {

std::string hexadecimal(std::span<const unsigned char> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string result;
    result.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) {
        result += digits[byte >> 4];
        result += digits[byte & 15];
    }
    return result;
}

std::string random_hexadecimal(std::size_t count) {
    std::vector<unsigned char> bytes(count);
    std::size_t done = 0;
    while (done < count) {
        const ssize_t got = ::getrandom(bytes.data() + done, count - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            throw std::runtime_error(std::string("no entropy: ") + std::strerror(errno));
        done += static_cast<std::size_t>(got);
    }
    return hexadecimal(bytes);
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + 1);
    }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& character : result)
        if (character >= 'A' && character <= 'Z')
            character = static_cast<char>(character - 'A' + 'a');
    return result;
}

std::string format_time(std::int64_t nanoseconds) {
    if (nanoseconds == 0)
        return "0001-01-01T00:00:00Z";
    const std::time_t seconds = nanoseconds / 1'000'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                  parts.tm_min, parts.tm_sec, static_cast<long>(nanoseconds % 1'000'000'000));
    return text;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    // Digits of a fixed count, and what stands behind them.
    const auto number = [&text](std::size_t digits, std::string_view behind) -> std::optional<int> {
        const auto value = text.size() < digits ? std::nullopt : parse_number(text.substr(0, digits));
        if (!value || text.size() == digits || behind.find(text[digits]) == std::string_view::npos)
            return std::nullopt;
        text.remove_prefix(digits + 1);
        return static_cast<int>(*value);
    };
    const auto year = number(4, "-"), month = number(2, "-"), day = number(2, "Tt "), hour = number(2, ":"), minute = number(2, ":");
    if (!year || !month || !day || !hour || !minute || text.size() < 3)
        return std::nullopt;
    const auto second = parse_number(text.substr(0, 2));
    text.remove_prefix(2);
    if (text.front() == '.') {
        const std::size_t end = text.find_first_not_of("0123456789", 1);
        if (end == std::string_view::npos || end == 1)
            return std::nullopt;
        text.remove_prefix(end);
    }
    std::int64_t offset = 0; // seconds that the time is ahead of UTC
    if (text.front() == '+' || text.front() == '-') {
        if (text.size() != 6 || text[3] != ':')
            return std::nullopt;
        const auto hours = parse_number(text.substr(1, 2)), minutes = parse_number(text.substr(4));
        if (!hours || !minutes || *hours > 23 || *minutes > 59)
            return std::nullopt;
        offset = static_cast<std::int64_t>(*hours * 60 + *minutes) * (text.front() == '-' ? -60 : 60);
    } else if (text != "Z" && text != "z") {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)), std::chrono::day(static_cast<unsigned>(*day))};
    if (!second || !date.ok() || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400} + *hour * 3600 + *minute * 60 + static_cast<std::int64_t>(*second) - offset;
}

std::int64_t realtime_nanoseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool is_hexadecimal(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

bool consume(std::string_view& text, std::string_view begin) {
    if (!text.starts_with(begin))
        return false;
    text.remove_prefix(begin.size());
    return true;
}

} // namespace services
