// The state cores with one error each: the sequences that find nothing in the cores as they are find every one of them.
#include <gtest/gtest.h>

#include "tests/cores/properties.hpp"
#include "tests/explore/seed.hpp"

namespace cores {
namespace {

class SeededProperties : public testing::TestWithParam<Seed> {};

TEST_P(SeededProperties, AreFoundBroken) {
    explore::chosen_seed = GetParam().error;
    const std::string broken = broken_by_random_commands(*find_model(GetParam().model));
    explore::chosen_seed = {};
    EXPECT_NE(broken, "") << "nothing was found: is the line that " << GetParam().error << " goes into still there (tests/explore/seeds.py)?";
    std::printf("%s\n", broken.c_str());
}

INSTANTIATE_TEST_SUITE_P(Cores, SeededProperties, testing::ValuesIn(seeds), [](const auto& info) { return info.param.error; });

// The same cores, with no error chosen.
class UnseededProperties : public testing::TestWithParam<Model> {};

TEST_P(UnseededProperties, Hold) { EXPECT_EQ(broken_by_random_commands(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(Cores, UnseededProperties, testing::ValuesIn(models), [](const auto& info) { return info.param.name; });

} // namespace
} // namespace cores
