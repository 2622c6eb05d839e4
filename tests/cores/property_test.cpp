// The state cores as they are: no random sequence of commands breaks a property.
#include <gtest/gtest.h>

#include "tests/cores/properties.hpp"

namespace cores {
namespace {

class Properties : public testing::TestWithParam<Model> {};

TEST_P(Properties, Hold) { EXPECT_EQ(broken_by_random_commands(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(Cores, Properties, testing::ValuesIn(models), [](const auto& info) { return info.param.name; });

} // namespace
} // namespace cores
