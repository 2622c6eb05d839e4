#include "services/engine/filters.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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
    EXPECT_TRUE(Filters::parse(R"({"label":["a","b"]})", {"label"}).allows_labels(labels));
    EXPECT_TRUE(Filters::parse(R"({"label":["a=1"]})", {"label"}).allows_labels(labels));
    EXPECT_FALSE(Filters::parse(R"({"label":["a=1","c"]})", {"label"}).allows_labels(labels));
    EXPECT_FALSE(Filters::parse(R"({"label":["a=2"]})", {"label"}).allows_labels(labels));
}

TEST(Filters, LabelsMayBeUnwanted) {
    const std::map<std::string, std::string> labels = {{"a", "1"}};
    EXPECT_FALSE(Filters::parse(R"({"label!":["a"]})", {"label!"}).allows_labels(labels));
    EXPECT_TRUE(Filters::parse(R"({"label!":["a=2"]})", {"label!"}).allows_labels(labels));
    EXPECT_TRUE(Filters::parse(R"({"label!":["b"]})", {"label!"}).allows_labels(labels));
    EXPECT_FALSE(Filters::parse(R"({"label":["a"],"label!":["a=1"]})", {"label", "label!"}).allows_labels(labels));
}

TEST(Filters, NamesAreRegularExpressions) {
    const auto fits = [](const std::string& expression, const std::string& name) {
        return Filters::parse(nlohmann::json{{"name", {expression}}}.dump(), {"name"}).allows_match("name", {name, "/" + name});
    };
    for (const char* expression : {"web", "^web", "web-[0-9]+$", "^/web-12$", "^web-\\d{2}$", "eb-1", "(?i)WEB", "db|web", ".*"}) EXPECT_TRUE(fits(expression, "web-12")) << expression;
    for (const char* expression : {"^eb", "web$", "web-[a-z]", "WEB", "(", "[", "*", "web-12-"}) EXPECT_FALSE(fits(expression, "web-12")) << expression;
    // Neither its size nor what it would take elsewhere holds anybody up.
    EXPECT_FALSE(fits("((a*)*)*b", std::string(2000, 'a')));
    EXPECT_FALSE(fits("((a{100}){100}){100}", "a"));
    EXPECT_TRUE(Filters::parse(R"({"name":["x","^web"]})", {"name"}).allows_match("name", {"web"}));
    EXPECT_TRUE(Filters::parse("", {"name"}).allows_match("name", {"web"}));
}

TEST(Filters, UntilIsOneTime) {
    constexpr std::int64_t hour = 3600'000'000'000;
    EXPECT_EQ(Filters::parse("", {"until"}).until(0), INT64_MAX);
    EXPECT_EQ(Filters::parse(R"({"until":["2h"]})", {"until"}).until(3 * hour), hour);
    EXPECT_THROW(Filters::parse(R"({"until":["2h","1h"]})", {"until"}).until(0), ApiError);
    EXPECT_THROW(Filters::parse(R"({"until":["soon"]})", {"until"}).until(0), ApiError);
}

TEST(Globs, FitAsInAShell) {
    for (const auto& [pattern, text] : std::initializer_list<std::pair<const char*, const char*>>{{"busybox", "busybox"}, {"busy*", "busybox"}, {"*:latest", "busybox:latest"}, {"b?sybox", "busybox"}, {"*/app*", "team/app:1"}, {"[a-c]usybox", "busybox"}, {"busybox:1.[0-9]*", "busybox:1.36"}})
        EXPECT_TRUE(glob_fits(pattern, text)) << pattern;
    for (const auto& [pattern, text] : std::initializer_list<std::pair<const char*, const char*>>{{"busy", "busybox"}, {"*", "team/app"}, {"app*", "team/app:1"}, {"", "busybox"}})
        EXPECT_FALSE(glob_fits(pattern, text)) << pattern;
}

} // namespace
} // namespace engine
