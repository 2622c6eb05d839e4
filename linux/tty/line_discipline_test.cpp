#include "linux/tty/line_discipline.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace personality {
namespace {

struct Keyboard : EchoSink {
    LineDiscipline discipline;
    std::string shown;
    int signal = 0;

    void echo(std::span<const std::uint8_t> bytes) override { shown.append(bytes.begin(), bytes.end()); }
    void type(std::string_view text) {
        for (const char each : text)
            if (const int number = discipline.receive(static_cast<std::uint8_t>(each), *this); number != 0)
                signal = number;
    }
    std::string read(std::size_t most = 4096) {
        std::string text(most, '\0');
        text.resize(discipline.read(std::as_writable_bytes(std::span(text))));
        return text;
    }
    void change(std::uint32_t clear_local, std::uint32_t set_local = 0) {
        TerminalSettings settings = discipline.settings();
        settings.local = (settings.local & ~clear_local) | set_local;
        discipline.set(settings);
    }
};

TEST(LineDiscipline, GivesWholeLines) {
    Keyboard keyboard;
    keyboard.type("ab");
    EXPECT_FALSE(keyboard.discipline.readable());
    keyboard.type("c\rd\n");
    EXPECT_EQ(keyboard.read(), "abc\n");
    EXPECT_EQ(keyboard.read(1), "d");
    EXPECT_EQ(keyboard.read(), "\n");
    EXPECT_EQ(keyboard.shown, "abc\r\nd\r\n");
}

TEST(LineDiscipline, Edits) {
    Keyboard keyboard;
    keyboard.type("abx\x7f" "c one two\x17" "2\n");
    EXPECT_EQ(keyboard.read(), "abc one 2\n");
    keyboard.shown.clear();
    keyboard.type("xy\x15z\n");
    EXPECT_EQ(keyboard.read(), "z\n");
    EXPECT_EQ(keyboard.shown, "xy\b \b\b \bz\r\n");
    keyboard.type("\x16\x03\n");
    EXPECT_EQ(keyboard.read(), "\x03\n");
    EXPECT_EQ(keyboard.signal, 0);
}

TEST(LineDiscipline, EndOfFile) {
    Keyboard keyboard;
    keyboard.type("ab\x04");
    EXPECT_EQ(keyboard.read(), "ab");
    EXPECT_FALSE(keyboard.discipline.readable());
    keyboard.type("\x04");
    EXPECT_TRUE(keyboard.discipline.readable());
    EXPECT_EQ(keyboard.read(), "");
    EXPECT_FALSE(keyboard.discipline.readable());
}

TEST(LineDiscipline, Signals) {
    Keyboard keyboard;
    keyboard.type("lost\x03");
    EXPECT_EQ(keyboard.signal, 2);
    EXPECT_EQ(keyboard.shown, "lost^C");
    keyboard.type("k\n");
    EXPECT_EQ(keyboard.read(), "k\n");
    keyboard.change(terminal_local::signals);
    keyboard.signal = 0;
    keyboard.type("\x03\n");
    EXPECT_EQ(keyboard.signal, 0);
    EXPECT_EQ(keyboard.read(), "\x03\n");
}

TEST(LineDiscipline, RawBytesComeAtOnce) {
    Keyboard keyboard;
    keyboard.type("half");
    keyboard.change(terminal_local::canonical | terminal_local::echo);
    keyboard.type("\x7f\x04");
    EXPECT_EQ(keyboard.read(), "half\x7f\x04");
    keyboard.type("tail");
    keyboard.change(0, terminal_local::canonical);
    EXPECT_EQ(keyboard.read(), "tail");
    EXPECT_FALSE(keyboard.discipline.readable());
}

TEST(LineDiscipline, LongLinesEnd) {
    Keyboard keyboard;
    keyboard.type(std::string(5000, 'a'));
    EXPECT_TRUE(keyboard.discipline.has_room());
    keyboard.type("\n");
    EXPECT_EQ(keyboard.read(), std::string(LineDiscipline::line_limit, 'a') + "\n");
}

TEST(LineDiscipline, OutputStopsAndStarts) {
    Keyboard keyboard;
    keyboard.type("\x13");
    EXPECT_TRUE(keyboard.discipline.output_stopped());
    keyboard.type("\x11");
    EXPECT_FALSE(keyboard.discipline.output_stopped());
    std::uint8_t bytes[2];
    EXPECT_EQ(keyboard.discipline.process_output('\n', bytes), 2u);
    EXPECT_EQ(bytes[0], '\r');
}

TEST(LineDiscipline, SurvivesAnything) {
    std::mt19937 random(1);
    Keyboard keyboard;
    for (int i = 0; i < 200'000; ++i) {
        const auto choice = random() % 100;
        if (choice == 0) {
            TerminalSettings settings = keyboard.discipline.settings();
            settings.input = random();
            settings.output = random();
            settings.local = random();
            for (auto& each : settings.characters)
                each = static_cast<std::uint8_t>(random() % 40);
            keyboard.discipline.set(settings);
        } else if (choice < 4) {
            const std::size_t available = keyboard.discipline.available();
            const bool readable = keyboard.discipline.readable();
            const std::size_t got = keyboard.read(random() % 6000).size();
            EXPECT_LE(got, available);
            EXPECT_TRUE(readable || got == 0);
        } else {
            keyboard.type(std::string(1, static_cast<char>(random() % 48)));
        }
        keyboard.shown.clear();
    }
}

} // namespace
} // namespace personality
