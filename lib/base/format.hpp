// Text into a buffer: words, decimal and hexadecimal numbers; and numbers out of text.
#pragma once
#include "lib/base/result.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace base {

// A number to be written in base 16 with at least `digits` digits.
struct Hex {
    std::uint64_t value;
    unsigned digits = 1;
};

// Writes into a caller's buffer; what does not fit is left out and `truncated` tells.
class Formatter {
public:
    explicit Formatter(std::span<char> buffer) : buffer_(buffer) {}

    Formatter& operator<<(std::string_view text) {
        const std::size_t room = buffer_.size() - used_;
        const std::size_t size = text.size() < room ? text.size() : room;
        if (size != 0)
            std::memcpy(buffer_.data() + used_, text.data(), size);
        used_ += size;
        truncated_ |= size != text.size();
        return *this;
    }
    Formatter& operator<<(const char* text) { return *this << std::string_view(text); }
    Formatter& operator<<(char character) { return *this << std::string_view(&character, 1); }
    Formatter& operator<<(bool value) { return *this << (value ? "true" : "false"); }
    template <std::unsigned_integral T> Formatter& operator<<(T value) { return digits(value, 10, 1); }
    template <std::signed_integral T> Formatter& operator<<(T value) {
        if (value >= 0)
            return digits(static_cast<std::uint64_t>(value), 10, 1);
        return (*this << '-').digits(0 - static_cast<std::uint64_t>(value), 10, 1);
    }
    Formatter& operator<<(Hex hex) { return digits(hex.value, 16, hex.digits); }

    std::string_view view() const { return {buffer_.data(), used_}; }
    bool truncated() const { return truncated_; }

private:
    Formatter& digits(std::uint64_t value, unsigned radix, unsigned least) {
        char text[64];
        std::size_t at = sizeof text;
        for (; at > 0 && (value != 0 || sizeof text - at < least); value /= radix)
            text[--at] = "0123456789abcdef"[value % radix];
        return *this << std::string_view(text + at, sizeof text - at);
    }
    std::span<char> buffer_;
    std::size_t used_ = 0;
    bool truncated_ = false;
};

// All parts into `buffer`; the view is what fitted.
template <class... Parts> std::string_view format(std::span<char> buffer, const Parts&... parts) {
    Formatter formatter(buffer);
    (formatter << ... << parts);
    return formatter.view();
}

// A decimal number, the whole text and nothing else. Errors: bad_argument, overflow.
constexpr Result<std::uint64_t> parse_decimal(std::string_view text) {
    if (text.empty())
        return fail(Error::bad_argument);
    std::uint64_t value = 0;
    for (const char character : text) {
        if (character < '0' || character > '9')
            return fail(Error::bad_argument);
        const auto digit = static_cast<std::uint64_t>(character - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return fail(Error::overflow);
        value = value * 10 + digit;
    }
    return value;
}
// Digits and lower-case letters, without a prefix. Errors: bad_argument, overflow.
constexpr Result<std::uint64_t> parse_hexadecimal(std::string_view text) {
    if (text.empty())
        return fail(Error::bad_argument);
    std::uint64_t value = 0;
    for (const char character : text) {
        const bool digit = character >= '0' && character <= '9', letter = character >= 'a' && character <= 'f';
        if (!digit && !letter)
            return fail(Error::bad_argument);
        if (value >> 60 != 0)
            return fail(Error::overflow);
        value = value << 4 | static_cast<std::uint64_t>(digit ? character - '0' : character - 'a' + 10);
    }
    return value;
}

} // namespace base
