#include "kernel/core/display.hpp"

#include <algorithm>
#include <cstddef>

namespace kernel::display {
namespace {

constexpr std::uint64_t largest_framebuffer = 64 << 20;
constexpr std::uint32_t foreground = 0x00d0d0d0, background = 0;

constinit std::uint8_t* points = nullptr; // null: no display
constinit std::uint64_t pitch = 0;
constinit unsigned columns = 0, rows = 0, column = 0, row = 0;
constinit char text[most_rows][most_columns] = {}; // lines in a ring, of which this is the one at the top
constinit unsigned top = 0;
// What is on the screen: only what changes is drawn, and the slow memory never read.
constinit char cells[most_rows][most_columns] = {};
constinit std::uint8_t differs_from[most_rows] = {}; // for each row of the screen, the first column that may not be as in the text
static_assert(most_columns <= 0xff);

char& wanted(unsigned at_row, unsigned at_column) { return text[(top + at_row) % rows][at_column]; }

void draw(unsigned at_row, unsigned at_column, char character) {
    cells[at_row][at_column] = character;
    const bool printable = character >= first_glyph && character <= last_glyph;
    const std::uint8_t* glyph = font[printable ? character - first_glyph : '?' - first_glyph];
    for (unsigned y = 0; y < glyph_height; ++y) {
        auto* line = reinterpret_cast<volatile std::uint32_t*>(points + (at_row * glyph_height + y) * pitch) + at_column * glyph_width;
        for (unsigned x = 0; x < glyph_width; ++x)
            line[x] = (glyph[y] << x & 0x80) != 0 ? foreground : background;
    }
}

void new_line() {
    column = 0;
    if (++row < rows)
        return;
    row = rows - 1;
    top = (top + 1) % rows;
    for (unsigned c = 0; c < columns; ++c)
        wanted(row, c) = ' ';
    for (unsigned r = 0; r < rows; ++r)
        differs_from[r] = 0;
}

} // namespace

std::uint64_t usable_bytes(const limine::Framebuffer& framebuffer) {
    const std::uint64_t bytes = framebuffer.pitch * framebuffer.height;
    if (framebuffer.bits_per_pixel != 32 || framebuffer.pitch < framebuffer.width * 4 || framebuffer.height > 16384 || framebuffer.pitch > 65536 ||
        framebuffer.width < glyph_width || framebuffer.height < glyph_height || bytes > largest_framebuffer)
        return 0;
    return bytes;
}

void initialize(const limine::Framebuffer& framebuffer, void* memory) {
    columns = std::min<unsigned>(most_columns, static_cast<unsigned>(framebuffer.width) / glyph_width);
    rows = std::min<unsigned>(most_rows, static_cast<unsigned>(framebuffer.height) / glyph_height);
    pitch = framebuffer.pitch;
    points = static_cast<std::uint8_t*>(memory);
    // Firmware leaves its own picture behind.
    for (unsigned r = 0; r < rows; ++r) {
        for (unsigned c = 0; c < columns; ++c) {
            wanted(r, c) = ' ';
            draw(r, c, ' ');
        }
        differs_from[r] = static_cast<std::uint8_t>(columns);
    }
}

void put(char character) {
    if (points == nullptr || character == '\r')
        return;
    if (character == '\n')
        return new_line();
    if (column == columns)
        new_line();
    wanted(row, column) = character;
    differs_from[row] = std::min(differs_from[row], static_cast<std::uint8_t>(column++));
}

bool draw_step() {
    if (points == nullptr)
        return false;
    unsigned drawn = 0, looked = 0;
    for (unsigned r = 0; r < rows; ++r) {
        const char* const line = text[(top + r) % rows];
        for (std::uint8_t& c = differs_from[r]; c < columns; ++c) {
            if (looked++ == looked_at_in_step)
                return true;
            if (cells[r][c] == line[c])
                continue;
            if (drawn++ == drawn_in_step)
                return true;
            draw(r, c, line[c]);
        }
    }
    return false;
}

} // namespace kernel::display
