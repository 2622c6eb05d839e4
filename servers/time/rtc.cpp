#include "servers/time/rtc.hpp"

namespace timekeeping {

namespace {

constexpr std::uint8_t hours_24 = 1u << 1, binary = 1u << 2, afternoon = 1u << 7;
constexpr unsigned seconds_per_day = 86400;

std::optional<unsigned> value(std::uint8_t raw, bool is_binary) {
    if (is_binary)
        return raw;
    if ((raw & 0xf) > 9 || raw >> 4 > 9)
        return std::nullopt;
    return (raw >> 4) * 10u + (raw & 0xf);
}

bool is_leap(unsigned year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

unsigned days_in(unsigned month, unsigned year) {
    constexpr unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

} // namespace

std::optional<std::uint64_t> seconds_since_1970(const RtcRegisters& registers) {
    const bool is_binary = (registers.status_b & binary) != 0;
    const bool whole_day = (registers.status_b & hours_24) != 0;
    const auto second = value(registers.second, is_binary), minute = value(registers.minute, is_binary), day = value(registers.day, is_binary),
               month = value(registers.month, is_binary), short_year = value(registers.year, is_binary), century = value(registers.century, is_binary);
    auto hour = value(whole_day ? registers.hour : registers.hour & ~afternoon, is_binary);
    if (!second || !minute || !hour || !day || !month || !short_year)
        return std::nullopt;
    if (!whole_day) {
        if (*hour < 1 || *hour > 12)
            return std::nullopt;
        hour = *hour % 12 + ((registers.hour & afternoon) != 0 ? 12 : 0);
    }
    const unsigned year = *short_year + (century && *century >= 19 && *century <= 29 ? *century * 100 : *short_year >= 70 ? 1900 : 2000);
    if (*second > 59 || *minute > 59 || *hour > 23 || *month < 1 || *month > 12 || *short_year > 99 || year < 1970 || *day < 1 || *day > days_in(*month, year))
        return std::nullopt;
    std::uint64_t days = *day - 1;
    for (unsigned each = 1970; each < year; ++each)
        days += is_leap(each) ? 366 : 365;
    for (unsigned each = 1; each < *month; ++each)
        days += days_in(each, year);
    return days * seconds_per_day + *hour * 3600 + *minute * 60 + *second;
}

} // namespace timekeeping
