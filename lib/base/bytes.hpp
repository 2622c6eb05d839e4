// Reading and writing little-endian data in byte ranges, with the bounds checked. For formats and protocols whose bytes are not trusted.
#pragma once
#include "lib/base/result.hpp"

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace base {

static_assert(std::endian::native == std::endian::little);

// A plain struct or number at `offset`. Errors: broken where it does not lie within `bytes`.
template <class T>
    requires std::is_trivially_copyable_v<T>
Result<T> load(std::span<const std::byte> bytes, std::size_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
        return fail(Error::broken);
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

// Errors: broken, as in load; nothing is written then.
template <class T>
    requires std::is_trivially_copyable_v<T>
Result<void> store(std::span<std::byte> bytes, std::size_t offset, const T& value) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
        return fail(Error::broken);
    std::memcpy(bytes.data() + offset, &value, sizeof(T));
    return {};
}

// A part of `bytes`. Errors: broken.
inline Result<std::span<const std::byte>> slice(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t length) {
    if (offset > bytes.size() || length > bytes.size() - offset)
        return fail(Error::broken);
    return bytes.subspan(offset, length);
}

template <std::unsigned_integral T> constexpr T big_endian(T value) {
    return std::byteswap(value);
}

template <class T> std::span<const std::byte> bytes_of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(std::span<const T, 1>(&value, 1));
}
inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes values from the front of a range. After an error the position is where it was.
class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    std::size_t remaining() const { return rest_.size(); }
    // Errors of all: broken where too few bytes are left.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    Result<T> take() {
        const T value = TRY(load<T>(rest_, 0));
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    Result<std::span<const std::byte>> take(std::size_t length) {
        const auto part = TRY(slice(rest_, 0, length));
        rest_ = rest_.subspan(length);
        return part;
    }
    Result<void> skip(std::size_t length) {
        TRY(take(length));
        return {};
    }

private:
    std::span<const std::byte> rest_;
};

} // namespace base
