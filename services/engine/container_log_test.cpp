#include "services/engine/container_log.hpp"

#include <gtest/gtest.h>

namespace engine {
namespace {

constexpr auto out = OutputStream::standard_output;
constexpr auto err = OutputStream::standard_error;

std::string all(const ContainerLog& log) {
    std::string text;
    for (auto line = log.from(0); line != nullptr; line = log.from(line->sequence + 1)) text += line->text;
    return text;
}

TEST(ContainerLog, KeepsWholeLinesOfEachStream) {
    ContainerLog log(1 << 20);
    log.append(out, 1, "on");
    log.append(err, 2, "two\n");
    log.append(out, 3, "e\nthr");
    EXPECT_EQ(all(log), "two\none\n");
    log.finish(4);
    EXPECT_EQ(all(log), "two\none\nthr");
    EXPECT_EQ(log.from(0)->stream, err);
}

TEST(ContainerLog, CutsLongLines) {
    ContainerLog log(1 << 20);
    log.append(out, 1, std::string(40000, 'x') + "\n");
    ASSERT_NE(log.from(0), nullptr);
    EXPECT_EQ(log.from(0)->text.size(), 16384U);
    EXPECT_EQ(all(log).size(), 40001U);
}

TEST(ContainerLog, ForgetsTheOldestBeyondItsLimit) {
    ContainerLog log(10000);
    for (int line = 0; line < 1000; ++line) log.append(out, line, std::to_string(line) + "\n");
    EXPECT_LE(log.size(), 10000U);
    EXPECT_TRUE(all(log).ends_with("998\n999\n"));
    EXPECT_GT(log.first(), 1U);
    // A reader that fell behind goes on with the oldest kept line.
    EXPECT_EQ(log.from(1)->sequence, log.first());
    EXPECT_EQ(log.from(log.next()), nullptr);
}

TEST(ContainerLog, CountsTheTailByStream) {
    ContainerLog log(1 << 20);
    for (const char* text : {"1\n", "2\n", "3\n"}) {
        log.append(out, 1, text);
        log.append(err, 1, text);
    }
    EXPECT_EQ(log.from(log.tail(1, true, false))->text, "3\n");
    EXPECT_EQ(log.from(log.tail(2, true, false))->text, "2\n");
    EXPECT_EQ(log.from(log.tail(100, true, true))->sequence, 1U);
    EXPECT_EQ(log.from(log.tail(0, true, true)), nullptr);
}

TEST(ContainerLog, FramesAsDockerDoes) {
    EXPECT_EQ(frame_head(err, 0x01020304), std::string("\x02\0\0\0\x01\x02\x03\x04", 8));
}

} // namespace
} // namespace engine
