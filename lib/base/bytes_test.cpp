#include "lib/base/bytes.hpp"

#include "lib/base/crc32c.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

const std::array<std::byte, 8> eight{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};

TEST(Bytes, LoadsLittleEndian) {
    EXPECT_EQ(load<std::uint16_t>(eight, 0), 0x0201);
    EXPECT_EQ(load<std::uint32_t>(eight, 4), 0x08070605u);
    EXPECT_EQ(load<std::uint64_t>(eight, 0), 0x0807060504030201ull);
}

TEST(Bytes, RefusesWhatLiesOutside) {
    EXPECT_EQ(load<std::uint16_t>(eight, 7).error(), Error::broken);
    EXPECT_EQ(load<std::uint16_t>(eight, 9).error(), Error::broken);
    EXPECT_EQ(load<std::uint16_t>(eight, SIZE_MAX).error(), Error::broken);
    EXPECT_EQ(slice(eight, 4, UINT64_MAX).error(), Error::broken);
    EXPECT_EQ(slice(eight, UINT64_MAX, 1).error(), Error::broken);
    EXPECT_EQ(slice(eight, 8, 0)->size(), 0u);
}

TEST(Bytes, StoreLeavesTheRestAlone) {
    auto copy = eight;
    EXPECT_TRUE(store<std::uint16_t>(copy, 1, 0xaabb));
    EXPECT_EQ(copy[0], std::byte{1});
    EXPECT_EQ(copy[1], std::byte{0xbb});
    EXPECT_EQ(copy[3], std::byte{4});
    EXPECT_EQ(store<std::uint64_t>(copy, 1, 0).error(), Error::broken);
    EXPECT_EQ(copy[7], std::byte{8});
}

TEST(Bytes, ReaderStaysWhereItIsAfterAnError) {
    ByteReader reader(eight);
    EXPECT_EQ(reader.take<std::uint32_t>(), 0x04030201u);
    EXPECT_EQ(reader.take<std::uint64_t>().error(), Error::broken);
    EXPECT_EQ(reader.remaining(), 4u);
    EXPECT_TRUE(reader.skip(2));
    EXPECT_EQ((*reader.take(2))[1], std::byte{8});
    EXPECT_EQ(reader.skip(1).error(), Error::broken);
}

TEST(Bytes, Crc32cOfTheUsualCheck) { EXPECT_EQ(crc32c(bytes_of(std::string_view("123456789"))), 0xe3069283u); }

} // namespace
} // namespace base
