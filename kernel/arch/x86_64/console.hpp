// The kernel's console: the first serial port (16550).
#pragma once

namespace kernel::arch {

void initialize_console();
// Whoever calls serialises (the log's lock), but for panic.
void console_put(char character);

} // namespace kernel::arch
