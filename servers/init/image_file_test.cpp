#include "servers/init/image_file.hpp"

#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace {

constexpr const char* good = R"(# the smallest node
program time
    file /bin/time
    memory 64
    budget weight=512 priority=3
    kernel clock read,write,map
    ports 112 2 as rtc
    serve time
    restarts 3

program user   # uses it
    file /bin/user
    memory 2M
    quota charge,inspect,control
    call time badge=7 share as clock.server
    keep records 4M
    keep notes 5K
    argument mode=slow and steady
)";

std::string reason(const std::string& text) {
    auto file = std::make_unique<init::ImageFile>();
    init::ParseError error;
    if (init::parse(text, *file, error))
        return {};
    return std::to_string(error.line) + " " + std::string(error.reason);
}

std::string program(const std::string& lines) { return "program p\nfile /p\nmemory 1\n" + lines; }

} // namespace

TEST(ImageFile, ReadsWhatItSays) {
    auto file = std::make_unique<init::ImageFile>();
    init::ParseError error;
    ASSERT_TRUE(init::parse(good, *file, error)) << error.line << error.reason;
    ASSERT_EQ(file->program_count, 2u);
    ASSERT_EQ(file->endpoint_count, 1u);
    const auto& time = file->programs[0];
    EXPECT_EQ(time.weight, 512u);
    EXPECT_EQ(time.priority, 3u);
    EXPECT_EQ(time.restarts, 3u);
    ASSERT_EQ(time.grant_count, 3u);
    EXPECT_EQ(time.grants[0].rights, abi::right::read | abi::right::write | abi::right::map);
    EXPECT_EQ(time.grants[1].first_port, 0x70u);
    EXPECT_EQ(time.grants[1].name, "rtc");
    const auto& user = file->programs[1];
    EXPECT_EQ(user.memory.value, 512u);
    EXPECT_EQ(user.quota_rights, abi::right::charge | abi::right::inspect | abi::right::control);
    EXPECT_EQ(user.grants[0].badge, 7u);
    EXPECT_TRUE(user.grants[0].share);
    EXPECT_EQ(user.grants[0].name, "clock.server");
    EXPECT_EQ(user.arguments[0], "mode=slow and steady");
    EXPECT_EQ(file->kept_count, 2u);
    ASSERT_EQ(user.grant_count, 3u);
    EXPECT_EQ(user.grants[1].kind, init::GrantLine::Kind::keep);
    EXPECT_EQ(user.grants[1].name, "records");
    EXPECT_EQ(user.grants[1].pages, 1024u);
    EXPECT_EQ(user.grants[1].kept, 0u);
    EXPECT_EQ(user.grants[2].pages, 2u);
    EXPECT_EQ(user.grants[2].kept, 1u);
}

TEST(ImageFile, RefusesWithLineAndReason) {
    EXPECT_EQ(reason(""), "0 no program");
    EXPECT_EQ(reason("file /x"), "1 a statement before the first program");
    EXPECT_EQ(reason("program a\nfile /a\n"), "0 a program has no memory");
    EXPECT_EQ(reason("program a\nmemory 1\n"), "0 a program has no file");
    EXPECT_EQ(reason(program("call nobody\n")), "0 an endpoint is called that nobody serves");
    EXPECT_EQ(reason(program("serve e\nprogram q\nfile /q\nmemory 1\nserve e\n")), "0 an endpoint has two servers");
    EXPECT_EQ(reason(program("kernel log read\nserve e as log\n")), "5 a second capability of this name");
    EXPECT_EQ(reason(program("kernel log reed\n")), "4 an unknown right");
    EXPECT_EQ(reason(program("kernel log\n")), "4 rights are missing");
    EXPECT_EQ(reason(program("ports 65535 2 as x\n")), "4 a number is missing or out of its range");
    EXPECT_EQ(reason(program("ports 1 2\n")), "4 a capability has no name, or one of more than 31 bytes");
    EXPECT_EQ(reason(program("serve e as an-excessively-long-name-of-thirty-two\n")), "4 a capability has no name, or one of more than 31 bytes");
    EXPECT_EQ(reason(program("restarts 3 4\n")), "4 more words than the statement takes");
    EXPECT_EQ(reason(program("budget speed=1\n")), "4 expected: budget weight=N priority=N");
    EXPECT_EQ(reason(program("memory 0\n")), "4 expected: memory PAGES, or a number with K, M, G or %");
    EXPECT_EQ(reason(program("memory 101%\n")), "4 expected: memory PAGES, or a number with K, M, G or %");
    EXPECT_EQ(reason(program("memory 99999999999999999G\n")), "4 expected: memory PAGES, or a number with K, M, G or %");
    for (const char* size : {"", " 0", " x", " 50%", " 65M", " 99999999999999999G"})
        EXPECT_EQ(reason(program("keep k" + std::string(size) + "\n")), "4 expected: keep NAME PAGES, or a number with K, M or G, of at most 64 MiB") << size;
    EXPECT_EQ(reason(program("keep k 1 2\n")), "4 an unknown word in a capability's line");
    EXPECT_EQ(reason(program("keep k 1\nkeep k 1\n")), "5 a second capability of this name");
    std::string much;
    for (char name = 'a'; name < 'a' + 9; ++name)
        much += std::string("keep ") + name + " 1\n";
    EXPECT_EQ(reason(program(much)), "12 too much is kept");
    EXPECT_EQ(reason(program("fly\n")), "4 an unknown statement");
    EXPECT_EQ(reason(program("program p\n")), "4 a second program of this name");
}

TEST(ImageFile, GarbageIsRefusedOrRead) {
    std::mt19937 random(1);
    auto file = std::make_unique<init::ImageFile>();
    for (int round = 0; round < 20'000; ++round) {
        std::string text(good);
        for (int i = 0; i < 5; ++i)
            text[random() % text.size()] = static_cast<char>(random());
        init::ParseError error;
        (void)init::parse(text, *file, error);
    }
}
