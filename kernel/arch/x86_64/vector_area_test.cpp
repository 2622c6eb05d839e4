#include "kernel/arch/x86_64/vector_area.hpp"

#include <gtest/gtest.h>

namespace kernel {
namespace {

constexpr std::uint64_t supported = 7;
constexpr std::uint32_t mask = 0xffff;

std::uint64_t word_at(const std::byte* area, std::size_t offset) {
    std::uint64_t value;
    std::memcpy(&value, area + offset, sizeof(value));
    return value;
}

TEST(VectorArea, TakesAwayWhatWouldFault) {
    std::byte area[1024];
    std::memset(area, 0xff, sizeof(area));
    const std::uint64_t present = 3;
    std::memcpy(area + vector_area::components, &present, sizeof(present));
    ASSERT_TRUE(vector_area::sanitise(area, 832, supported, mask));
    EXPECT_EQ(word_at(area, vector_area::components), 3u);
    for (std::size_t offset = vector_area::compaction; offset < 576; offset += 8) EXPECT_EQ(word_at(area, offset), 0u);
    EXPECT_EQ(word_at(area, vector_area::mxcsr) & 0xffffffff, mask);
}

TEST(VectorArea, RefusesUnknownComponentsAndHalfHeaders) {
    std::byte area[1024] = {};
    const std::uint64_t present = 1u << 9;
    std::memcpy(area + vector_area::components, &present, sizeof(present));
    EXPECT_EQ(vector_area::sanitise(area, 832, supported, mask).error(), abi::Error::bad_argument);
    EXPECT_EQ(vector_area::sanitise(area, 520, supported, mask).error(), abi::Error::bad_argument);
    EXPECT_TRUE(vector_area::sanitise(area, 512, supported, mask));
    EXPECT_EQ(word_at(area, vector_area::components), 3u);
}

} // namespace
} // namespace kernel
