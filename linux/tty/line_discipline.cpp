#include "linux/tty/line_discipline.hpp"

#include <algorithm>

namespace personality {

namespace {

// Numbers of signal(7).
constexpr int signal_interrupt = 2, signal_quit = 3, signal_suspend = 20;
constexpr std::uint8_t escape_mark = '^';

bool is_control(std::uint8_t byte) { return byte < 0x20 || byte == 0x7f; }
bool is_continuation(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }
bool is_word(std::uint8_t byte) { return byte >= 0x80 || byte == '_' || (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'); }

} // namespace

void LineDiscipline::set(const TerminalSettings& settings) {
    const bool was_canonical = canonical();
    settings_ = settings;
    if (was_canonical == canonical())
        return;
    literal_ = false;
    if (canonical() && count_ != 0 && (cell(count_ - 1) & line_end) == 0) {
        // What came without lines is one line from now on.
        cell(count_ - 1) |= line_end;
        ++complete_;
    }
    editing_from_ = count_;
}

void LineDiscipline::add(Cell value) {
    // One place is kept for the end of a line, so that a line which is too long still ends.
    const std::size_t limit = (value & line_end) != 0 ? capacity : line_limit;
    if (count_ >= limit)
        return;
    cell(count_++) = value;
    if ((value & line_end) != 0) {
        ++complete_;
        editing_from_ = count_;
    }
}

int LineDiscipline::receive(std::uint8_t byte, EchoSink& sink) {
    using namespace terminal_character;
    if ((settings_.input & terminal_input::strip) != 0)
        byte &= 0x7f;
    if (literal_) {
        literal_ = false;
        add(byte);
        if (local(terminal_local::echo))
            echo(byte, sink);
        return 0;
    }
    if ((settings_.input & terminal_input::flow) != 0) {
        if (is(byte, start) || is(byte, stop)) {
            stopped_ = is(byte, stop);
            return 0;
        }
        if ((settings_.input & terminal_input::any_starts) != 0)
            stopped_ = false;
    }
    if (local(terminal_local::signals)) {
        const int signal = is(byte, interrupt) ? signal_interrupt : is(byte, quit) ? signal_quit : is(byte, suspend) ? signal_suspend : 0;
        if (signal != 0) {
            stopped_ = false;
            if (!local(terminal_local::no_flush))
                discard_input();
            if (local(terminal_local::echo))
                echo(byte, sink);
            return signal;
        }
    }
    if (byte == '\r') {
        if ((settings_.input & terminal_input::ignore_return) != 0)
            return 0;
        if ((settings_.input & terminal_input::return_to_newline) != 0)
            byte = '\n';
    } else if (byte == '\n' && (settings_.input & terminal_input::newline_to_return) != 0) {
        byte = '\r';
    }
    if (canonical()) {
        edit(byte, sink);
        return 0;
    }
    add(byte);
    if (local(terminal_local::echo))
        echo(byte, sink);
    return 0;
}

void LineDiscipline::edit(std::uint8_t byte, EchoSink& sink) {
    using namespace terminal_character;
    const bool extended = local(terminal_local::extended);
    if (is(byte, erase)) {
        erase_last(sink);
    } else if (is(byte, kill)) {
        erase_line(sink);
    } else if (extended && is(byte, word_erase)) {
        erase_word(sink);
    } else if (extended && is(byte, literal_next)) {
        literal_ = true;
        if (local(terminal_local::echo) && local(terminal_local::echo_control))
            sink.echo(std::span(reinterpret_cast<const std::uint8_t*>("^\b"), 2));
    } else if (extended && is(byte, reprint)) {
        echo(byte, sink);
        echo('\n', sink);
        for (std::size_t i = editing_from_; i < count_; ++i)
            echo(static_cast<std::uint8_t>(cell(i)), sink);
    } else if (is(byte, end_of_file)) {
        add(line_end | end_mark);
    } else if (byte == '\n' || is(byte, end_of_line) || (extended && is(byte, end_of_line_2))) {
        if (local(terminal_local::echo) || (byte == '\n' && local(terminal_local::echo_newline)))
            echo(byte, sink);
        add(byte | line_end);
    } else {
        const std::size_t before = count_;
        add(byte);
        if (local(terminal_local::echo) && count_ != before)
            echo(byte, sink);
    }
}

void LineDiscipline::echo(std::uint8_t byte, EchoSink& sink) {
    if (is_control(byte) && byte != '\n' && byte != '\t' && local(terminal_local::echo_control)) {
        const std::uint8_t shown[2] = {escape_mark, static_cast<std::uint8_t>(byte ^ 0x40)};
        column_ += 2;
        sink.echo(shown);
        return;
    }
    std::uint8_t processed[2];
    sink.echo(std::span(processed).first(process_output(byte, processed)));
}

void LineDiscipline::erase_last(EchoSink& sink) {
    if (count_ == editing_from_)
        return;
    std::uint8_t byte = static_cast<std::uint8_t>(cell(--count_));
    if ((settings_.input & terminal_input::utf8) != 0)
        while (is_continuation(byte) && count_ > editing_from_)
            byte = static_cast<std::uint8_t>(cell(--count_));
    if (!local(terminal_local::echo))
        return;
    if (!local(terminal_local::echo_erase)) {
        echo(settings_.characters[terminal_character::erase], sink);
        return;
    }
    std::uint32_t width = 1;
    if (byte == '\t') {
        // As wide as the stop is away from what is before it; the line's begin is taken as a stop.
        std::uint32_t before = 0;
        for (std::size_t i = editing_from_; i < count_; ++i) {
            const std::uint8_t each = static_cast<std::uint8_t>(cell(i));
            before += each == '\t' ? 8 - before % 8 : is_control(each) ? 2 : is_continuation(each) && (settings_.input & terminal_input::utf8) != 0 ? 0 : 1;
        }
        width = 8 - before % 8;
        for (std::uint32_t i = 0; i < width; ++i)
            sink.echo(std::span(reinterpret_cast<const std::uint8_t*>("\b"), 1));
    } else {
        width = is_control(byte) ? (local(terminal_local::echo_control) ? 2 : 0) : 1;
        for (std::uint32_t i = 0; i < width; ++i)
            sink.echo(std::span(reinterpret_cast<const std::uint8_t*>("\b \b"), 3));
    }
    column_ -= std::min(column_, width);
}

void LineDiscipline::erase_word(EchoSink& sink) {
    const auto last = [this] { return static_cast<std::uint8_t>(cell(count_ - 1)); };
    while (count_ > editing_from_ && !is_word(last()))
        erase_last(sink);
    while (count_ > editing_from_ && is_word(last()))
        erase_last(sink);
}

void LineDiscipline::erase_line(EchoSink& sink) {
    if (local(terminal_local::echo) && local(terminal_local::echo_kill) && local(terminal_local::echo_kill_erase) && local(terminal_local::echo_erase)) {
        while (count_ > editing_from_)
            erase_last(sink);
        return;
    }
    count_ = editing_from_;
    if (!local(terminal_local::echo))
        return;
    echo(settings_.characters[terminal_character::kill], sink);
    if (local(terminal_local::echo_kill))
        echo('\n', sink);
}

std::size_t LineDiscipline::available() const {
    if (!canonical())
        return count_;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < editing_from_; ++i) {
        bytes += (cell(i) & end_mark) == 0;
        if ((cell(i) & line_end) != 0)
            break;
    }
    return bytes;
}

std::size_t LineDiscipline::read(std::span<std::byte> to) {
    std::size_t done = 0;
    const std::size_t limit = canonical() ? editing_from_ : count_;
    std::size_t taken = 0;
    bool ended = false;
    while (taken < limit && !ended) {
        const Cell value = cell(taken);
        if ((value & end_mark) == 0) {
            if (done == to.size())
                break;
            to[done++] = static_cast<std::byte>(value & 0xff);
        }
        ++taken;
        if ((value & line_end) != 0) {
            --complete_;
            ended = canonical();
        }
    }
    first_ = (first_ + taken) % capacity;
    count_ -= taken;
    editing_from_ -= std::min(editing_from_, taken);
    return done;
}

void LineDiscipline::discard_input() {
    count_ = editing_from_ = complete_ = 0;
    literal_ = false;
}

std::size_t LineDiscipline::process_output(std::uint8_t byte, std::uint8_t (&to)[2]) {
    using namespace terminal_output;
    to[0] = byte;
    if ((settings_.output & process) == 0)
        return 1;
    switch (byte) {
    case '\n':
        if ((settings_.output & newline_is_return) != 0)
            column_ = 0;
        if ((settings_.output & newline_to_both) == 0)
            return 1;
        column_ = 0;
        to[0] = '\r';
        to[1] = '\n';
        return 2;
    case '\r':
        if ((settings_.output & no_return_at_start) != 0 && column_ == 0)
            return 0;
        if ((settings_.output & return_to_newline) != 0)
            to[0] = '\n';
        column_ = 0;
        return 1;
    case '\t': column_ += 8 - column_ % 8; return 1;
    case '\b': column_ -= column_ != 0; return 1;
    default:
        if (!is_control(byte) && !is_continuation(byte))
            ++column_;
        return 1;
    }
}

} // namespace personality
