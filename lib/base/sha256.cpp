#include "lib/base/sha256.hpp"

#include <bit>
#include <cstring>

namespace base {

namespace {

// FIPS 180-4, 4.2.2.
constexpr std::uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t big_endian_word(const std::byte* bytes) {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof word);
    return std::byteswap(word);
}

} // namespace

void Sha256::block(const std::byte* bytes) {
    std::uint32_t schedule[64];
    for (int i = 0; i < 16; ++i)
        schedule[i] = big_endian_word(bytes + 4 * i);
    for (int i = 16; i < 64; ++i) {
        const std::uint32_t a = schedule[i - 15], b = schedule[i - 2];
        const std::uint32_t small_0 = std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3);
        const std::uint32_t small_1 = std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10);
        schedule[i] = schedule[i - 16] + small_0 + schedule[i - 7] + small_1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (int i = 0; i < 64; ++i) {
        const std::uint32_t big_1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const std::uint32_t first = h + big_1 + ((e & f) ^ (~e & g)) + round_constants[i] + schedule[i];
        const std::uint32_t big_0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const std::uint32_t second = big_0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    const std::uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i)
        state_[i] += added[i];
}

void Sha256::update(std::span<const std::byte> bytes) {
    const std::size_t held = length_ % 64;
    length_ += bytes.size();
    if (held != 0) {
        const std::size_t part = bytes.size() < 64 - held ? bytes.size() : 64 - held;
        if (part != 0)
            std::memcpy(pending_.data() + held, bytes.data(), part);
        bytes = bytes.subspan(part);
        if (held + part < 64)
            return;
        block(pending_.data());
    }
    for (; bytes.size() >= 64; bytes = bytes.subspan(64))
        block(bytes.data());
    if (!bytes.empty())
        std::memcpy(pending_.data(), bytes.data(), bytes.size());
}

Sha256::Digest Sha256::finish() {
    const std::uint64_t bits = std::byteswap(length_ * 8);
    std::size_t held = length_ % 64;
    pending_[held++] = std::byte{0x80};
    if (held > 56) {
        std::memset(pending_.data() + held, 0, 64 - held);
        block(pending_.data());
        held = 0;
    }
    std::memset(pending_.data() + held, 0, 56 - held);
    std::memcpy(pending_.data() + 56, &bits, sizeof bits);
    block(pending_.data());
    Digest digest;
    for (int i = 0; i < 8; ++i) {
        const std::uint32_t word = std::byteswap(state_[i]);
        std::memcpy(digest.data() + 4 * i, &word, sizeof word);
    }
    return digest;
}

std::array<char, 64> hexadecimal(const Sha256::Digest& digest) {
    std::array<char, 64> text;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        text[2 * i] = "0123456789abcdef"[std::to_integer<unsigned>(digest[i]) >> 4];
        text[2 * i + 1] = "0123456789abcdef"[std::to_integer<unsigned>(digest[i]) & 15];
    }
    return text;
}

} // namespace base
