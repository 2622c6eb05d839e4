#include "kernel/core/display.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace kernel::display {

// A glyph's first row of points is its character's number: by that it is told on the screen.
#define EIGHT_FROM(first) {(first)}, {(first) + 1}, {(first) + 2}, {(first) + 3}, {(first) + 4}, {(first) + 5}, {(first) + 6}, {(first) + 7}
const std::uint8_t font[last_glyph - first_glyph + 1][glyph_height] = {EIGHT_FROM(0x20), EIGHT_FROM(0x28), EIGHT_FROM(0x30), EIGHT_FROM(0x38), EIGHT_FROM(0x40), EIGHT_FROM(0x48),
                                                                       EIGHT_FROM(0x50), EIGHT_FROM(0x58), EIGHT_FROM(0x60), EIGHT_FROM(0x68), EIGHT_FROM(0x70),
                                                                       {0x78}, {0x79}, {0x7a}, {0x7b}, {0x7c}, {0x7d}, {0x7e}};
#undef EIGHT_FROM

namespace {

limine::Framebuffer framebuffer(std::uint64_t width, std::uint64_t height, std::uint64_t pitch, std::uint16_t bits = 32) {
    limine::Framebuffer found = {};
    found.width = width;
    found.height = height;
    found.pitch = pitch;
    found.bits_per_pixel = bits;
    return found;
}

TEST(DisplayTest, OnlyUsableFormatsAreTaken) {
    EXPECT_EQ(usable_bytes(framebuffer(1024, 768, 4096)), 4096u * 768);
    EXPECT_EQ(usable_bytes(framebuffer(glyph_width, glyph_height, 32)), 32u * glyph_height);
    EXPECT_EQ(usable_bytes(framebuffer(4096, 4096, 16384)), 64u << 20);
    EXPECT_EQ(usable_bytes(framebuffer(1024, 768, 4096, 24)), 0u);
    EXPECT_EQ(usable_bytes(framebuffer(1024, 768, 4095)), 0u) << "a row is longer than it says";
    EXPECT_EQ(usable_bytes(framebuffer(8, 16385, 32)), 0u);
    EXPECT_EQ(usable_bytes(framebuffer(8, 16, 65537)), 0u);
    EXPECT_EQ(usable_bytes(framebuffer(glyph_width - 1, 768, 4096)), 0u);
    EXPECT_EQ(usable_bytes(framebuffer(1024, glyph_height - 1, 4096)), 0u);
    EXPECT_EQ(usable_bytes(framebuffer(4096, 4097, 16384)), 0u) << "more than is mapped";
}

// There is one screen, so one test of it from its beginning on.
class Screen {
public:
    static constexpr unsigned columns = 10, rows = 3;
    static constexpr std::size_t pitch = columns * glyph_width + 5; // in points: a part of each row is not shown

    Screen() : points_(pitch * (rows * glyph_height + 7), 0x12345678) {}

    void take_over() { initialize(framebuffer(columns * glyph_width + 3, rows * glyph_height + 7, pitch * 4), points_.data()); }
    static void write(std::string_view text) {
        for (const char character : text) put(character);
    }
    // Gives how many cells were drawn at most in a step.
    unsigned draw_all() {
        unsigned most = 0;
        for (bool more = true; more;) {
            const std::string before = content();
            more = draw_step();
            const std::string after = content();
            most = std::max(most, static_cast<unsigned>(std::inner_product(before.begin(), before.end(), after.begin(), 0, std::plus<>(), std::not_equal_to<>())));
        }
        return most;
    }
    std::string content() const {
        std::string found;
        for (unsigned row = 0; row < rows; ++row) {
            for (unsigned column = 0; column < columns; ++column) found += cell(row, column);
            found += '\n';
        }
        return found;
    }
    bool outside_is_untouched() const {
        for (std::size_t i = 0; i < points_.size(); ++i)
            if ((i % pitch >= columns * glyph_width || i / pitch >= rows * glyph_height) && points_[i] != 0x12345678) return false;
        return true;
    }

private:
    char cell(unsigned row, unsigned column) const {
        unsigned bits = 0;
        for (unsigned x = 0; x < glyph_width; ++x) bits = bits << 1 | (points_[row * glyph_height * pitch + column * glyph_width + x] != 0 ? 1u : 0u);
        return static_cast<char>(bits);
    }

    std::vector<std::uint32_t> points_;
};

TEST(DisplayTest, TextComesToTheScreenInSteps) {
    EXPECT_FALSE(draw_step()) << "without a screen there is nothing to be drawn";
    Screen::write("before the screen\n");
    EXPECT_FALSE(draw_step());

    Screen screen;
    screen.take_over();
    EXPECT_EQ(screen.content(), "          \n          \n          \n");
    Screen::write("abc\r\nlonger than a\x01row");
    EXPECT_EQ(screen.content(), "          \n          \n          \n") << "who writes does not draw";
    EXPECT_LE(screen.draw_all(), drawn_in_step);
    EXPECT_EQ(screen.content(), "abc       \nlonger tha\nn a?row   \n");
    EXPECT_FALSE(draw_step());

    Screen::write("\nabc\nd");
    EXPECT_LE(screen.draw_all(), drawn_in_step);
    EXPECT_EQ(screen.content(), "n a?row   \nabc       \nd         \n");
    EXPECT_TRUE(screen.outside_is_untouched());
}

} // namespace
} // namespace kernel::display
