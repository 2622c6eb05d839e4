#include "servers/log/journal.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace logging {
namespace {

using base::Error;

constexpr std::uint64_t second = 1'000'000'000;

struct Screen final : Console {
    void show(std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
};

struct JournalTest : testing::Test {
    JournalTest() : storage(64 * 1024), journal(std::make_unique<Journal>(storage, screen)) {
        EXPECT_TRUE(journal->add_program(1, "pci"));
        EXPECT_TRUE(journal->add_program(2, "switch"));
    }
    std::vector<std::byte> storage;
    Screen screen;
    std::unique_ptr<Journal> journal;
};

TEST_F(JournalTest, TheBadgeNamesTheWriter) {
    EXPECT_TRUE(journal->write_program(2, "pci: 7 functions", 5));
    EXPECT_TRUE(journal->write_sandbox(2, "switch: up", 6));
    EXPECT_EQ(screen.lines, (std::vector<std::string>{"switch: pci: 7 functions\n", "sandbox 2: switch: up\n"}));
    EXPECT_EQ(journal->write_program(3, "x", 7).error(), Error::denied);
    EXPECT_EQ(journal->write_program(0, "x", 7).error(), Error::denied);
    EXPECT_EQ(journal->write_sandbox(0, "x", 7).error(), Error::denied);
    Line line;
    ASSERT_TRUE(journal->kept().find(1, line));
    EXPECT_EQ(line.writer(), "switch");
    EXPECT_EQ(line.nanoseconds, 5u);
    EXPECT_FALSE(journal->kept().find(3, line));
}

TEST_F(JournalTest, RefusesNames) {
    EXPECT_EQ(journal->add_program(0, "zero").error(), Error::bad_argument);
    EXPECT_EQ(journal->add_program(3, "").error(), Error::bad_argument);
    EXPECT_EQ(journal->add_program(3, std::string(32, 'n')).error(), Error::bad_argument);
    EXPECT_EQ(journal->add_program(3, "a\nb").error(), Error::bad_argument);
    EXPECT_EQ(journal->add_program(1, "again").error(), Error::exists);
    for (std::uint64_t badge = 3; badge <= Journal::most_programs; ++badge)
        EXPECT_TRUE(journal->add_program(badge, "n"));
    EXPECT_EQ(journal->add_program(100, "n").error(), Error::no_slots);
}

// Whatever the bytes are: one line, printable.
TEST_F(JournalTest, EveryByteIsHarmless) {
    std::string text;
    for (int byte = 0; byte < 256; ++byte)
        text += static_cast<char>(byte);
    EXPECT_TRUE(journal->write_program(1, text, 1));
    EXPECT_TRUE(journal->write_program(1, "", 1));
    ASSERT_EQ(screen.lines.size(), 2u);
    const std::string& shown = screen.lines[0];
    ASSERT_EQ(shown.size(), 5 + 256 + 1u);
    EXPECT_EQ(shown.back(), '\n');
    for (std::size_t i = 0; i < 256; ++i)
        EXPECT_EQ(shown[5 + i], i >= ' ' && i <= '~' ? static_cast<char>(i) : '?') << i;
    EXPECT_EQ(screen.lines[1], "pci: \n");
}

TEST_F(JournalTest, AFloodIsCutAndCounted) {
    for (unsigned i = 0; i < 1000; ++i)
        EXPECT_TRUE(journal->write_program(1, "flood", 0));
    EXPECT_EQ(screen.lines.size(), Journal::burst);
    // It takes nothing from others.
    EXPECT_TRUE(journal->write_program(2, "calm", 0));
    EXPECT_EQ(screen.lines.back(), "switch: calm\n");
    ASSERT_EQ(journal->telling_time(), Journal::telling_interval);
    journal->tell_dropped(Journal::telling_interval - 1);
    EXPECT_EQ(screen.lines.back(), "switch: calm\n");
    journal->tell_dropped(Journal::telling_interval);
    EXPECT_EQ(screen.lines.back(), "log: 872 lines of pci dropped\n");
    EXPECT_EQ(journal->telling_time(), UINT64_MAX);
    // After a second, a second's share.
    screen.lines.clear();
    for (unsigned i = 0; i < 1000; ++i)
        EXPECT_TRUE(journal->write_program(1, "flood", second));
    EXPECT_EQ(screen.lines.size(), Journal::per_second);
}

TEST_F(JournalTest, SandboxesShareABound) {
    constexpr unsigned sandboxes = 600, lines = 10;
    std::uint64_t now = 1;
    for (unsigned i = 0; i < lines; ++i)
        for (unsigned number = 1; number <= sandboxes; ++number)
            EXPECT_TRUE(journal->write_sandbox(number, "x", now++));
    EXPECT_EQ(screen.lines.size(), Journal::sandboxes_burst);
    EXPECT_TRUE(journal->write_program(1, "calm", now));
    EXPECT_EQ(screen.lines.back(), "pci: calm\n");
    screen.lines.clear();
    journal->tell_dropped(2 * second);
    // A few by name and the rest as a sum; none is forgotten, also of those that made room for others.
    ASSERT_EQ(screen.lines.size(), 5u);
    std::uint64_t told = 0;
    for (const std::string& line : screen.lines)
        told += std::stoull(line.substr(5));
    EXPECT_EQ(told, sandboxes * lines - Journal::sandboxes_burst);
}

TEST_F(JournalTest, ASandboxOverItsOwnBoundLeavesTheOthersTheirs) {
    for (unsigned i = 0; i < 10'000; ++i)
        EXPECT_TRUE(journal->write_sandbox(1, "flood", 0));
    EXPECT_TRUE(journal->write_sandbox(2, "calm", 0));
    EXPECT_EQ(screen.lines.size(), Journal::burst + 1);
    EXPECT_EQ(screen.lines.back(), "sandbox 2: calm\n");
}

} // namespace
} // namespace logging
