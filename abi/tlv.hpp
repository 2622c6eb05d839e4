// Records of {tag, length, bytes}: the payload of channels and of sandbox control. Little endian, each record padded to 4 bytes.
#pragma once
#include "abi/types.hpp"

#include <cstring>
#include <span>
#include <string_view>

namespace abi {

struct TlvHeader {
    std::uint16_t tag;
    std::uint16_t reserved; // 0
    std::uint32_t length;   // payload bytes, without padding
};

// Writes records into a caller's buffer. After an overflow `ok()` is false and nothing more is written.
class TlvWriter {
public:
    explicit TlvWriter(std::span<std::byte> buffer) : buffer_(buffer) {}

    void bytes(std::uint16_t tag, std::span<const std::byte> value) {
        const std::size_t padded = (value.size() + 3) & ~std::size_t{3};
        if (!ok_ || value.size() > UINT32_MAX - 3 || buffer_.size() - used_ < sizeof(TlvHeader) + padded) {
            ok_ = false;
            return;
        }
        const TlvHeader header{tag, 0, static_cast<std::uint32_t>(value.size())};
        std::memcpy(buffer_.data() + used_, &header, sizeof header);
        used_ += sizeof header;
        if (!value.empty())
            std::memcpy(buffer_.data() + used_, value.data(), value.size());
        if (padded != value.size())
            std::memset(buffer_.data() + used_ + value.size(), 0, padded - value.size());
        used_ += padded;
    }
    void text(std::uint16_t tag, std::string_view value) {
        bytes(tag, std::as_bytes(std::span<const char>(value.data(), value.size())));
    }
    void number(std::uint16_t tag, std::uint64_t value) { bytes(tag, std::as_bytes(std::span<const std::uint64_t>(&value, 1))); }

    bool ok() const { return ok_; }
    std::span<const std::byte> written() const { return buffer_.first(used_); }

private:
    std::span<std::byte> buffer_;
    std::size_t used_ = 0;
    bool ok_ = true;
};

struct TlvRecord {
    std::uint16_t tag;
    std::span<const std::byte> value;

    std::string_view text() const { return {reinterpret_cast<const char*>(value.data()), value.size()}; }
    // A number is exactly 8 bytes; anything else reads as `fallback`.
    std::uint64_t number(std::uint64_t fallback = 0) const {
        std::uint64_t result = fallback;
        if (value.size() == sizeof result)
            std::memcpy(&result, value.data(), sizeof result);
        return result;
    }
};

// Reads records out of hostile bytes. `next` returns false at the end; `ok()` tells whether the end was a clean one.
class TlvReader {
public:
    explicit TlvReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    bool next(TlvRecord& record) {
        if (rest_.empty() || !ok_)
            return false;
        TlvHeader header;
        if (rest_.size() < sizeof header)
            return fail();
        std::memcpy(&header, rest_.data(), sizeof header);
        rest_ = rest_.subspan(sizeof header);
        const std::size_t padded = (std::size_t{header.length} + 3) & ~std::size_t{3};
        if (header.reserved != 0 || padded > rest_.size())
            return fail();
        record = {header.tag, rest_.first(header.length)};
        rest_ = rest_.subspan(padded);
        return true;
    }
    bool ok() const { return ok_; }

private:
    bool fail() {
        ok_ = false;
        rest_ = {};
        return false;
    }
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

} // namespace abi
