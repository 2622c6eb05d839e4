#include "services/engine/filters.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

TEST(Filters, TakesBothFormsOfClients) {
    for (const char* text : {R"({"status":{"running":true,"exited":false}})", R"({"status":["running"]})"}) {
        const Filters filters = Filters::parse(text, {"status"});
        EXPECT_TRUE(filters.allows("status", "running")) << text;
        EXPECT_FALSE(filters.allows("status", "exited")) << text;
        EXPECT_TRUE(filters.allows("name", "anything")) << text;
    }
}

TEST(Filters, AnEmptyFilterAllowsAll) {
    EXPECT_TRUE(Filters::parse("", {}).allows("x", "y"));
    EXPECT_TRUE(Filters::parse(R"({"x":[]})", {"x"}).allows("x", "y"));
}

TEST(Filters, RefusesDamageAndUnknownNames) {
    for (const char* text : {"[", "[]", "3", R"({"x":3})", R"({"x":[3]})", R"({"y":["a"]})"})
        EXPECT_THROW(Filters::parse(text, {"x"}), ApiError) << text;
}

TEST(Filters, EveryLabelMustFit) {
    const std::map<std::string, std::string> labels = {{"a", "1"}, {"b", ""}};
    EXPECT_TRUE(Filters::parse(R"({"label":["a","b"]})", {"label"}).allows_labels("label", labels));
    EXPECT_TRUE(Filters::parse(R"({"label":["a=1"]})", {"label"}).allows_labels("label", labels));
    EXPECT_FALSE(Filters::parse(R"({"label":["a=1","c"]})", {"label"}).allows_labels("label", labels));
    EXPECT_FALSE(Filters::parse(R"({"label":["a=2"]})", {"label"}).allows_labels("label", labels));
}

} // namespace
} // namespace engine
