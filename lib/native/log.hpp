// Lines for the node's log.
#pragma once
#include <string_view>

#include "abi/types.hpp"
#include "lib/base/format.hpp"

namespace native {

inline constexpr std::size_t log_line_bytes = 256;

// One line, without its newline; what is longer than log_line_bytes is cut. Goes to the program's `log`: the kernel's log, or an endpoint of the log server, which shows the
// program's name before it. Never blocks for long and never fails: a line that a dead server does not take is lost.
void print_line(std::string_view line);

// The same, to another endpoint of the log server: the line appears in the name that belongs to its badge. Nothing where `server` is no_handle, or where the program has
// no `clock`: without one no wait can be bounded.
void write_line(abi::Handle server, std::string_view line);

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
