// SHA-256 as in FIPS 180-4.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

class Sha256 {
public:
    using Digest = std::array<std::byte, 32>;

    void update(std::span<const std::byte> bytes);
    // The digest of all that was given. The object is not to be used any more.
    Digest finish();

    static Digest of(std::span<const std::byte> bytes) {
        Sha256 hash;
        hash.update(bytes);
        return hash.finish();
    }

private:
    void block(const std::byte* bytes);

    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> pending_{};
    std::uint64_t length_ = 0; // bytes
};

// 64 lower-case digits.
std::array<char, 64> hexadecimal(const Sha256::Digest& digest);

} // namespace base
