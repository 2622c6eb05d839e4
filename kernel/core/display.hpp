// The boot text on the loader's framebuffer, where there is one. Output alone; the log keeps the order.
#pragma once
#include <cstdint>

#include "boot/limine.hpp"

namespace kernel::display {

inline constexpr unsigned glyph_width = 8, glyph_height = 16;
inline constexpr char first_glyph = 0x20, last_glyph = 0x7e;
// One byte a row, the highest bit is the leftmost point. Made from a font at build time.
extern const std::uint8_t font[last_glyph - first_glyph + 1][glyph_height];

// The bytes of a framebuffer in a format that is used here, 32 bits a point; 0 for others.
std::uint64_t usable_bytes(const limine::Framebuffer& framebuffer);
// Takes a usable framebuffer over. `memory`: where it is mapped, all usable_bytes() of it.
void initialize(const limine::Framebuffer& framebuffer, void* memory);
// Behind what was put before; on the screen by and by. Whoever calls this or the next one serialises.
void put(char character);
// Draws a part of what is not on the screen yet. Gives whether there is more.
bool draw_step();
inline constexpr unsigned most_columns = 240, most_rows = 135; // 1920 by 2160 points
inline constexpr unsigned drawn_in_step = 2, looked_at_in_step = 1024; // cells
// After so many steps all is drawn that was there before them.
inline constexpr unsigned most_steps = most_columns * most_rows / drawn_in_step + 1;

} // namespace kernel::display
