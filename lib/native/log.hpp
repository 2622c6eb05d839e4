// Lines for the node's log.
#pragma once
#include <string_view>

#include "abi/types.hpp"
#include "lib/base/format.hpp"

namespace native {

inline constexpr std::size_t log_line_bytes = 256;

// One line, without its newline. Goes to the program's `log`: the kernel's log, or the log server. Never blocks for long and never fails.
void print_line(std::string_view line);

// A line of parts, as base::Formatter takes them.
template <class... Parts> void print(const Parts&... parts) {
    char buffer[log_line_bytes];
    print_line(base::format(buffer, parts...));
}

// A person's word for an error.
const char* error_name(abi::Error error);

// Looks at what kind of `log` the program has; part of the program's start.
void log_start();

} // namespace native
