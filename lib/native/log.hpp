// Lines for the node's log.
#pragma once
#include "lib/native/text.hpp"

namespace native {

inline constexpr std::size_t log_line_bytes = 256;

// One line, without its newline. Goes to the program's `log`: the kernel's log, or the log server. Never blocks for long and never fails.
void print_line(std::string_view line);

template <class... Parts> void print(const Parts&... parts) { print_line(Text<log_line_bytes>(parts...)); }

// Looks at what kind of `log` the program has; part of the program's start.
void log_start();

} // namespace native
