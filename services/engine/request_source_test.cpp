#include "services/engine/request_source.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

template <class Check> int status_of(Check check) {
    try {
        check();
        return 200;
    } catch (const ApiError& error) {
        return error.status;
    }
}

TEST(RequestSource, APageIsRefused) {
    EXPECT_EQ(status_of([] { check_source("", ""); }), 200);
    EXPECT_EQ(status_of([] { check_source("", "none"); }), 200);
    for (const char* origin : {"http://example.com", "null", "http://127.0.0.1:2375"}) EXPECT_EQ(status_of([&] { check_source(origin, ""); }), 403) << origin;
    for (const char* site : {"cross-site", "same-site", "same-origin"}) EXPECT_EQ(status_of([&] { check_source("", site); }), 403) << site;
}

TEST(RequestSource, ABodyIsJson) {
    for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x"})
        EXPECT_EQ(status_of([&] { check_json_type(type); }), 200) << type;
    for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "x application/json"})
        EXPECT_EQ(status_of([&] { check_json_type(type); }), 415) << type;
}

} // namespace
} // namespace engine
