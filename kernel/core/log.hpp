// The kernel's log: a ring in memory that log_read gives out, and the serial console.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kernel {

// One line, in the ring and on the console at return. Formats: %u decimal, %x hexadecimal, %s NUL-terminated text; all integers are passed as 64 bits. At most 255 bytes; longer lines
// are cut, control characters become '?'. At boot and in tests: a slow console is waited for in one piece.
void log_message(const char* format, const std::uint64_t* arguments, unsigned count);
// The same of what programs can bring about, by a thread that holds no lock: others run while the console takes its time. So many lines at once and so many a second, of all programs
// of the fair band together; of those above, the next line is preceded by their number.
void log_message_at_most(const char* format, const std::uint64_t* arguments, unsigned count);

template <class... T> void log(const char* format, T... arguments) {
    const std::uint64_t list[sizeof...(T) + 1] = {(std::uint64_t)arguments...};
    log_message(format, list, sizeof...(T));
}
template <class... T> void log_at_most(const char* format, T... arguments) {
    const std::uint64_t list[sizeof...(T) + 1] = {(std::uint64_t)arguments...};
    log_message_at_most(format, list, sizeof...(T));
}

// Text from a program, as it is but for control characters (other than newline), which become '?'. By a thread that holds no lock.
void log_text(std::string_view text);
// Copies from absolute position `position` (older characters than the ring has are skipped); gives how many. The position of the first one copied is stored back.
std::size_t log_copy(std::uint64_t& position, std::span<char> to);

// At the end of all things: what the console has not got yet. Takes no lock.
void log_show_rest();

// Formats into a buffer; gives the length.
std::size_t format_message(std::span<char> to, const char* format, const std::uint64_t* arguments, unsigned count);

} // namespace kernel
