// Compressed streams: whole, in pieces, damaged, larger than what may be.
#include "services/images/decompressor.hpp"

#include <random>

#include <gtest/gtest.h>

#include "services/images/testing.hpp"

namespace images {
namespace {

using namespace testing;

std::string unpacked(const std::string& bytes, std::size_t piece = 1000, std::size_t read = 700,
                     std::uint64_t limit = UINT64_MAX) {
    Decompressor decompressor(source(bytes, piece), limit);
    std::string result;
    std::string buffer(read, '\0');
    while (const std::size_t count = decompressor.read(buffer.data(), buffer.size())) result.append(buffer, 0, count);
    EXPECT_EQ(decompressor.read(buffer.data(), buffer.size()), 0U);
    return result;
}

std::string sample(std::size_t size) {
    std::mt19937 random(1);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 7);
    return bytes;
}

TEST(Decompressor, GivesWhatWasCompressed) {
    const std::string bytes = sample(300000);
    for (const std::size_t piece : {1U, 1000U, 1000000U})
        for (const std::size_t read : {1U, 700U, 100000U, 1000000U}) {
            EXPECT_EQ(unpacked(bytes, piece, read), bytes);
            EXPECT_EQ(unpacked(gzip(bytes), piece, read), bytes);
            EXPECT_EQ(unpacked(zstd(bytes), piece, read), bytes);
            EXPECT_EQ(unpacked(gzip(bytes) + gzip("more"), piece, read), bytes + "more");
            EXPECT_EQ(unpacked(zstd(bytes) + zstd("more"), piece, read), bytes + "more");
        }
    EXPECT_EQ(unpacked(""), "");
    EXPECT_EQ(unpacked("abc"), "abc");
    EXPECT_EQ(unpacked(gzip("")), "");
    EXPECT_EQ(unpacked(zstd("")), "");
}

TEST(Decompressor, RefusesCutAndDamagedStreams) {
    const std::string bytes = sample(5000);
    for (const std::string& whole : {gzip(bytes), zstd(bytes)}) {
        for (std::size_t size = 4; size < whole.size(); size += 7)
            EXPECT_THROW(unpacked(whole.substr(0, size)), CompressionError) << size;
        EXPECT_THROW(unpacked(whole + "trailing bytes"), CompressionError);
        EXPECT_THROW(unpacked(whole + std::string(100, '\0')), CompressionError);
    }
    // Gzip has a checksum: no changed bit of the content comes through.
    const std::string whole = gzip(bytes);
    for (std::size_t at = 10; at < whole.size(); at += 3) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 4);
        EXPECT_THROW(unpacked(changed), CompressionError) << at;
    }
}

TEST(Decompressor, EndsWhatGrowsWithoutBound) {
    const std::string zeros(8 << 20, '\0');
    for (const std::string& bomb : {gzip(zeros), zstd(zeros)}) {
        EXPECT_LT(bomb.size(), 64U << 10);
        EXPECT_THROW(unpacked(bomb, 1000, 4096, 1 << 20), CompressionError);
        EXPECT_EQ(unpacked(bomb, 1000, 4096, zeros.size()).size(), zeros.size());
    }
}

TEST(Decompressor, SurvivesAnything) {
    std::mt19937 random(2);
    const std::string bytes = sample(3000);
    for (int round = 0; round < 2000; ++round) {
        std::string changed = round % 2 == 0 ? gzip(bytes) : zstd(bytes);
        for (int change = 0; change < 3; ++change)
            changed[4 + random() % (changed.size() - 4)] = static_cast<char>(random());
        try {
            unpacked(changed, 1 + random() % 500, 1 + random() % 5000, 1 << 20);
        } catch (const CompressionError&) {
        }
    }
}

} // namespace
} // namespace images
