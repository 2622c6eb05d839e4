// What the node's own image file promises about its log: whose name a badge stands for is said in two places, and they agree.
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "servers/init/image_file.hpp"

namespace {

using Kind = init::GrantLine::Kind;

struct NodeImage : testing::Test {
    NodeImage() : stream(NODE_IMAGE), text(std::istreambuf_iterator<char>(stream), {}), file(std::make_unique<init::ImageFile>()) {
        init::ParseError error;
        EXPECT_TRUE(init::parse(text, *file, error)) << error.line << ": " << error.reason;
    }
    std::span<const init::Program> programs() const { return {file->programs, file->program_count}; }

    std::ifstream stream;
    std::string text;
    std::unique_ptr<init::ImageFile> file;
};

// Others may have the right to add what objects are to the audit log, and no other.
TEST_F(NodeImage, OnlyTheLogHasTheKernelsLog) {
    for (const init::Program& program : programs())
        for (const init::GrantLine& grant : std::span(program.grants, program.grant_count))
            EXPECT_TRUE(grant.kind != Kind::kernel || grant.source != "log" || program.name == "log" || grant.rights == abi::right::send) << program.name;
}

TEST_F(NodeImage, TheLogKeepsTheAuditRecords) {
    bool takes = false, keeps = false;
    for (const init::GrantLine& grant : std::span(programs().front().grants, programs().front().grant_count)) {
        takes |= grant.kind == Kind::kernel && grant.name == "log" && (grant.rights & abi::right::receive) != 0;
        keeps |= grant.kind == Kind::keep && grant.name == "audit_store";
    }
    EXPECT_TRUE(takes && keeps);
}

TEST_F(NodeImage, WritersOfTheLogAreThoseThatItNames) {
    ASSERT_EQ(programs().front().name, "log");
    const std::span arguments(programs().front().arguments, programs().front().argument_count);
    const std::set<std::string_view> named(arguments.begin(), arguments.end());
    std::set<std::string> used;
    for (const init::Program& program : programs()) {
        bool clock = false, writes = false;
        for (const init::GrantLine& grant : std::span(program.grants, program.grant_count)) {
            clock |= grant.kind == Kind::kernel && grant.source == "clock";
            if (grant.kind != Kind::call || file->endpoints[grant.endpoint] != "log")
                continue;
            EXPECT_NE(grant.badge, 0u) << program.name << " could make itself any name";
            writes = true;
            const std::string badge = std::to_string(grant.badge);
            std::string expected = "writer=" + badge + ":" + std::string(program.name);
            if (grant.name == "management_log")
                expected = "writer=" + badge + ":management";
            else if (grant.name == "log_reader")
                expected = "reader=" + badge;
            EXPECT_TRUE(named.contains(expected)) << expected;
            EXPECT_TRUE(used.insert(expected).second) << expected << " twice";
        }
        EXPECT_TRUE(clock || !writes) << program.name << " cannot bound its waits for the log";
    }
    EXPECT_EQ(used.size(), named.size());
}

} // namespace
