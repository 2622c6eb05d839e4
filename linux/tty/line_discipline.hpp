// What stands between a terminal's keyboard and its readers: line editing, echo, signals, flow control (termios(3); N_TTY of Linux).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace personality {

// struct termios of the system call interface.
struct TerminalSettings {
    std::uint32_t input, output, control, local;
    std::uint8_t line;
    std::uint8_t characters[19];
};
static_assert(sizeof(TerminalSettings) == 36);

namespace terminal_input {
inline constexpr std::uint32_t strip = 040, newline_to_return = 0100, ignore_return = 0200, return_to_newline = 0400, flow = 02000, any_starts = 04000, utf8 = 040000;
}
namespace terminal_output {
inline constexpr std::uint32_t process = 1, newline_to_both = 4, return_to_newline = 010, no_return_at_start = 020, newline_is_return = 040;
}
namespace terminal_local {
inline constexpr std::uint32_t signals = 1, canonical = 2, echo = 010, echo_erase = 020, echo_kill = 040, echo_newline = 0100, no_flush = 0200, stop_background = 0400,
                               echo_control = 01000, echo_kill_erase = 04000, extended = 0100000;
}
namespace terminal_character {
inline constexpr unsigned interrupt = 0, quit = 1, erase = 2, kill = 3, end_of_file = 4, time = 5, minimum = 6, start = 8, stop = 9, suspend = 10, end_of_line = 11,
                          reprint = 12, word_erase = 14, literal_next = 15, end_of_line_2 = 16;
}

// As a new pseudo-terminal of Linux has them.
inline constexpr TerminalSettings new_terminal_settings{
    0x500, 5, 0xbf, 0x8a3b, 0, {3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0, 0}};

// Where echo goes. What does not fit is lost, as on Linux.
class EchoSink {
public:
    virtual void echo(std::span<const std::uint8_t> bytes) = 0;

protected:
    ~EchoSink() = default;
};

// Not for several threads at once.
class LineDiscipline {
public:
    static constexpr std::size_t capacity = 4096; // bytes that were typed and not yet read
    static constexpr std::size_t line_limit = capacity - 1;

    const TerminalSettings& settings() const { return settings_; }
    void set(const TerminalSettings& settings);

    // One byte from the keyboard. Gives the signal that it stands for, or 0.
    int receive(std::uint8_t byte, EchoSink& sink);
    // Whether more input may come now. In canonical mode a line that is being typed never blocks: what is too long for it is dropped.
    bool has_room() const { return count_ < line_limit || (canonical() && complete_ == 0); }

    // Bytes that read() would give now; in canonical mode those of the first line. An end-of-file mark alone is readable with 0 bytes.
    bool readable() const { return canonical() ? complete_ != 0 : count_ != 0; }
    std::size_t available() const;
    std::size_t read(std::span<std::byte> to);
    void discard_input();

    // Output of `byte` into `to`, after post-processing; gives the number of bytes, at most 2.
    std::size_t process_output(std::uint8_t byte, std::uint8_t (&to)[2]);
    bool output_stopped() const { return stopped_; }
    bool canonical() const { return (settings_.local & terminal_local::canonical) != 0; }

private:
    using Cell = std::uint16_t; // a byte and marks
    static constexpr Cell line_end = 0x100, end_mark = 0x200;

    bool local(std::uint32_t flag) const { return (settings_.local & flag) != 0; }
    bool is(std::uint8_t byte, unsigned character) const { return byte != 0 && byte == settings_.characters[character]; }
    Cell& cell(std::size_t index) { return cells_[(first_ + index) % capacity]; }
    const Cell& cell(std::size_t index) const { return cells_[(first_ + index) % capacity]; }
    void add(Cell value);
    void edit(std::uint8_t byte, EchoSink& sink);
    void echo(std::uint8_t byte, EchoSink& sink);
    void erase_last(EchoSink& sink);
    void erase_word(EchoSink& sink);
    void erase_line(EchoSink& sink);
    std::size_t line_begin() const { return editing_from_; }

    TerminalSettings settings_ = new_terminal_settings;
    Cell cells_[capacity] = {};
    std::size_t first_ = 0, count_ = 0;
    std::size_t editing_from_ = 0; // cells before this one are complete lines
    std::size_t complete_ = 0;     // line ends in the buffer
    std::uint32_t column_ = 0;
    bool literal_ = false; // the next byte is taken as it is
    bool stopped_ = false;
};

} // namespace personality
