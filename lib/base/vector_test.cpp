#include "lib/base/vector.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace base {
namespace {

TEST(Vector, HoldsWhatItWasGiven) {
    Vector<std::unique_ptr<int>> vector;
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(vector.push_back(std::make_unique<int>(i)));
    ASSERT_TRUE(vector.insert(50, std::make_unique<int>(-1)));
    EXPECT_EQ(*vector[50], -1);
    EXPECT_EQ(*vector[51], 50);
    vector.erase(50);
    EXPECT_EQ(*vector[50], 50);
    EXPECT_EQ(*vector.back(), 99);
    EXPECT_EQ(vector.size(), 100u);
}

TEST(Vector, AnElementOfItselfCanBeAppendedWhileItGrows) {
    Vector<int> vector;
    ASSERT_TRUE(vector.push_back(7));
    while (vector.size() < 100)
        ASSERT_TRUE(vector.emplace_back(vector.front()));
    for (const int value : vector)
        EXPECT_EQ(value, 7);
}

TEST(Vector, ResizeInitializes) {
    Vector<int> vector;
    ASSERT_TRUE(vector.resize(10));
    EXPECT_EQ(vector[9], 0);
    vector[9] = 5;
    ASSERT_TRUE(vector.resize(9));
    ASSERT_TRUE(vector.resize(10));
    EXPECT_EQ(vector[9], 0);
}

TEST(Vector, AnImpossibleSizeIsAnError) {
    Vector<std::uint64_t> vector;
    EXPECT_EQ(vector.reserve(SIZE_MAX / 8).error(), Error::no_memory);
    EXPECT_EQ(vector.size(), 0u);
}

TEST(VectorDeathTest, AnIndexOutOfRangeTraps) {
    Vector<int> vector;
    ASSERT_TRUE(vector.push_back(1));
    EXPECT_DEATH((void)vector[1], "");
    vector.clear();
    EXPECT_DEATH(vector.pop_back(), "");
}

} // namespace
} // namespace base
