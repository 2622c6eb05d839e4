// The kernel's console: the first serial port (16550), and the framebuffer where the loader found one.
#pragma once
#include "boot/limine.hpp"

namespace kernel::arch {

void initialize_console();
// Whoever calls serialises (the log's lock), but for panic.
void console_put(char character);
// Shows text on a framebuffer too, from now on. `pixels` is mapped.
void use_framebuffer(const limine::Framebuffer& framebuffer, void* pixels);

} // namespace kernel::arch
