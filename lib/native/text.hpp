// Text in a buffer of fixed size; what does not fit is cut off.
#pragma once
#include <cstddef>
#include <cstdint>
#include <concepts>
#include <string_view>

#include "abi/types.hpp"

namespace native {

// Wraps a number that is to be shown in hexadecimal.
struct Hex {
    std::uint64_t value;
};

const char* error_name(abi::Error error);

template <std::size_t size> class Text {
public:
    Text() = default;
    template <class... Parts> explicit Text(const Parts&... parts) { (add(parts), ...); }

    void add(std::string_view text) {
        for (const char c : text)
            if (used_ < size)
                buffer_[used_++] = c;
    }
    void add(const char* text) { add(std::string_view(text)); }
    void add(char c) { add(std::string_view(&c, 1)); }
    void add(Hex number) {
        add("0x");
        digits(number.value, 16);
    }
    void add(abi::Error error) { add(error_name(error)); }
    void add(std::unsigned_integral auto number) { digits(number, 10); }
    void add(std::signed_integral auto number) {
        if (number < 0)
            add('-');
        digits(number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number), 10);
    }
    std::string_view view() const { return {buffer_, used_}; }
    operator std::string_view() const { return view(); }

private:
    void digits(std::uint64_t number, std::uint64_t base) {
        char reversed[20];
        std::size_t count = 0;
        do {
            reversed[count++] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        while (count != 0)
            add(reversed[--count]);
    }
    char buffer_[size];
    std::size_t used_ = 0;
};

} // namespace native
