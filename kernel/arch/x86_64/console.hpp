// The kernel's console: the first serial port (16550).
#pragma once
#include <cstddef>
#include <string_view>

namespace kernel::arch {

void initialize_console();
// Gives what it takes at once, from the first character on: none while it is busy, at most its queue's length. Whoever calls serialises.
std::size_t console_write(std::string_view text);
// Waits for the device. For a panic.
void console_put(char character);

} // namespace kernel::arch
