#include "services/engine/request_fields.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "services/engine/container_spec.hpp"

namespace engine {
namespace {

using Treatment = RequestField::Treatment;

ApiError refuse(const std::string& path) { return bad_request("no " + path); }

// {"a":{"b":VALUE}} of "a.b"; a map's member is called "bridge", or of ports "80/tcp".
Json body_with(std::string_view path, const Json& value) {
    if (path.empty()) return value;
    const std::string name(path.substr(0, path.find('.')));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name == "[]") return Json::array({body_with(path, value)});
    return {{name == "*" ? path.starts_with("[]") ? "80/tcp" : "bridge" : name, body_with(path, value)}};
}

Json create_body(std::string_view path, const Json& value) {
    Json body = body_with(path, value);
    if (path != "Image") body["Image"] = "busybox";
    return body;
}

// As an error names it.
std::string shown(std::string path) {
    for (const auto& [from, to] : {std::pair<std::string, std::string>{".*.[]", ".80/tcp"}, {".*", ".bridge"}})
        if (const auto at = path.find(from); at != std::string::npos) path.replace(at, from.size(), to);
    return path;
}

std::string refusal(const Json& body) {
    try {
        parse_container_spec(body);
        return "";
    } catch (const ApiError& error) {
        EXPECT_EQ(error.status, 400);
        return error.what();
    }
}

TEST(RequestFields, NothingThatAsksForSomethingIsPassedOver) {
    const Json asking[] = {"x", 7, true, Json::array({"x"}), Json::array({""}), Json::object({{"x", ""}}), Json::object({{"", nullptr}}), Json::array({nullptr})};
    for (const RequestField& field : create_fields()) {
        const std::string path(field.path);
        for (const Json& value : asking) {
            const Json body = create_body(field.path, value);
            if (field.treatment == Treatment::refused) EXPECT_EQ(refusal(body), shown(path) + " is not supported by this node") << body;
            if (field.treatment != Treatment::no_effect) continue;
            Json copy = body;
            EXPECT_EQ(check_fields(copy, create_fields(), refuse), std::vector<std::string>{shown(path) + " has no effect on this node"}) << body;
        }
    }
}

TEST(RequestFields, NothingIsMadeOfWhatAsksForNothing) {
    for (const RequestField& field : create_fields())
        for (const Json& value : {Json(), Json(""), Json(0), Json(false), Json::array(), Json::object()}) {
            Json body = create_body(field.path, value);
            EXPECT_EQ(check_fields(body, create_fields(), refuse), std::vector<std::string>()) << body;
        }
    for (const RequestField& field : create_fields())
        if (field.path != "Image") EXPECT_EQ(refusal(create_body(field.path, nullptr)), "") << field.path;
}

// A row that says that a member is read is true of one whose reader looks at its type.
TEST(RequestFields, WhatIsHonouredIsRead) {
    for (const RequestField& field : create_fields())
        if (field.treatment == Treatment::honoured) EXPECT_NE(refusal(create_body(field.path, Json::object({{"x", 1}}))), "") << field.path;
}

TEST(RequestFields, WhatIsNotKnownIsNamedAtAnyDepth) {
    for (const char* path : {"New", "HostConfig.New", "HostConfig.LogConfig.New", "HostConfig.RestartPolicy.New", "Healthcheck.New", "NetworkingConfig.New", "NetworkingConfig.EndpointsConfig.*.New",
                             "NetworkingConfig.EndpointsConfig.*.IPAMConfig.New", "HostConfig.PortBindings.*.[].New"}) {
        for (const Json& value : {Json(1), Json("x"), Json::object({{"a", nullptr}})}) EXPECT_EQ(refusal(create_body(path, value)), shown(path) + " is not supported by this node");
        Json body = create_body(path, "");
        EXPECT_EQ(check_fields(body, create_fields(), refuse), std::vector<std::string>{shown(path) + " is not known to this node"});
        body = create_body(path, nullptr);
        EXPECT_EQ(check_fields(body, create_fields(), refuse), std::vector<std::string>());
    }
}

TEST(RequestFields, NamesHaveAnyCaseAndAreThereOnce) {
    Json body = Json::parse(R"({"image":"busybox","HOSTCONFIG":{"nanocpus":2000000000,"logConfig":{"type":"none"}}})");
    check_fields(body, create_fields(), refuse);
    EXPECT_EQ(body, Json::parse(R"({"Image":"busybox","HostConfig":{"NanoCpus":2000000000,"LogConfig":{"Type":"none"}}})"));
    EXPECT_EQ(refusal(Json::parse(R"({"Image":"a","image":"b"})")), "invalid JSON: Image is there twice");
    EXPECT_EQ(refusal(Json::parse(R"({"Image":"a","hostconfig":{"privileged":true}})")), "HostConfig.Privileged is not supported by this node");
    // Also where both are spelled alike: a reader takes one of them.
    for (const char* text : {R"({"HostConfig":{"Privileged":true},"HostConfig":{}})", R"({"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"1","HostPort":"2"}]}}})"}) EXPECT_THROW(parse_json(text), ApiError) << text;
    EXPECT_NO_THROW(parse_json(R"({"a":{"a":[{"a":1},{"a":2}]},"b":{"a":{"b":1}}})"));
    // A map's members are not names of fields.
    body = Json::parse(R"({"Labels":{"A":"1","a":"2"}})");
    check_fields(body, create_fields(), refuse);
    EXPECT_EQ(body["Labels"].size(), 2U);
}

// dockerode sends what it was given both as the query and as the body.
TEST(RequestFields, ParametersOfTheQueryMayBeRepeated) {
    Json body = Json::parse(R"({"name":"web","platform":"linux/amd64","Image":"busybox","Cmd":["true"],"Runtime":null})");
    EXPECT_EQ(check_fields(body, create_fields(), refuse), std::vector<std::string>());
    EXPECT_EQ(refusal(body), "");
}

TEST(RequestFields, OlderClientsMembersAreKnown) {
    Json body = Json::parse(R"({"Image":"busybox","Runtime":"runc","Dns":["8.8.8.8"],"VolumesFrom":"","PortSpecs":null,"authConfig":{"serveraddress":"x"},
                                "NetworkingConfig":{"bridge":null,"EndpointsConfig":{"bridge":{"IPAddress":"10.0.0.2"}}}})");
    EXPECT_EQ(refusal(body), "");
    const std::vector<std::string> warnings = {"Dns has no effect on this node", "NetworkingConfig.EndpointsConfig.bridge.IPAddress has no effect on this node", "authConfig has no effect on this node"};
    EXPECT_EQ(check_fields(body, create_fields(), refuse), warnings);
    EXPECT_NE(refusal(Json::parse(R"({"Image":"busybox","Runtime":"other"})")), "");
    EXPECT_NE(refusal(Json::parse(R"({"Image":"busybox","platform":"linux/arm64"})")), "");
    for (const char* size : {"[1]", "[1,2,3]", R"([{},{}])", "[-1,2]", "7"}) EXPECT_NE(refusal(Json::parse(std::string(R"({"Image":"busybox","HostConfig":{"ConsoleSize":)") + size + "}}")), "") << size;
}

TEST(RequestFields, ShapesAreChecked) {
    for (const char* text : {R"({"HostConfig":[]})", R"({"HostConfig":""})", R"({"HostConfig":{"LogConfig":3}})", R"({"HostConfig":{"PortBindings":[]}})", R"({"HostConfig":{"PortBindings":{"80":{}}}})",
                             R"({"NetworkingConfig":{"EndpointsConfig":{"bridge":""}}})"}) {
        Json body = Json::parse(text);
        EXPECT_THROW(check_fields(body, create_fields(), refuse), ApiError) << text;
    }
}

TEST(RequestFields, WarningsHaveABound) {
    Json body = Json::object();
    for (unsigned i = 0; i < 10000; ++i) body["unknown" + std::to_string(i)] = "";
    const auto warnings = check_fields(body, create_fields(), refuse);
    ASSERT_EQ(warnings.size(), most_field_warnings);
    EXPECT_EQ(warnings.back(), "further settings are not known to this node, or have no effect");
    EXPECT_TRUE(body.empty());
}

TEST(RequestFields, AnUpdateChangesProcessorsAlone) {
    for (const RequestField& field : update_fields()) {
        const bool changes = field.treatment == Treatment::honoured;
        EXPECT_EQ(changes, field.path == "NanoCpus" || field.path == "CpuQuota" || field.path == "CpuPeriod" || field.path == "CpuShares" || field.path == "CpusetCpus") << field.path;
        Json body = body_with(field.path, "x");
        if (!changes) EXPECT_THROW(check_fields(body, update_fields(), refuse), ApiError) << field.path;
        body = body_with(field.path, "");
        EXPECT_EQ(check_fields(body, update_fields(), refuse), std::vector<std::string>()) << field.path;
    }
}

} // namespace
} // namespace engine
