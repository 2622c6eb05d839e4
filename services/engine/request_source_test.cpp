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
    EXPECT_EQ(status_of([] { check_source("", "", ""); }), 200);
    EXPECT_EQ(status_of([] { check_source("", "none", ""); }), 200);
    for (const char* origin : {"http://example.com", "null", "http://127.0.0.1:2375"}) EXPECT_EQ(status_of([&] { check_source(origin, "", ""); }), 403) << origin;
    for (const char* site : {"cross-site", "same-site", "same-origin"}) EXPECT_EQ(status_of([&] { check_source("", site, ""); }), 403) << site;
}

TEST(RequestSource, ANameThatAPageCouldHaveIsRefused) {
    for (const char* host : {"", "127.0.0.1", "127.0.0.1:2375", "localhost:2375", "LOCALHOST", "node1:2375", "node1", "api.moby.localhost", "api.moby.localhost.", "[::1]:2375", "[::ffff:127.0.0.1]", "docker", "10.0.2.15"})
        EXPECT_EQ(status_of([&] { check_source("", "", host); }), 200) << host;
    for (const char* host : {"example.com", "example.com:2375", "EXAMPLE.com.", "127.0.0.1.example.com", "127.0.0.1.nip.io:2375", "127.1", "localhost.example.com", "xlocalhost.com:80"})
        EXPECT_EQ(status_of([&] { check_source("", "", host); }), 403) << host;
}

TEST(RequestSource, ABodyIsJson) {
    for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x"})
        EXPECT_EQ(status_of([&] { check_json_type(type); }), 200) << type;
    for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "x application/json"})
        EXPECT_EQ(status_of([&] { check_json_type(type); }), 415) << type;
}

} // namespace
} // namespace engine
