#include "linux/tty/terminal.hpp"

#include "lib/native/clock.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/fs/constants.hpp"
#include "linux/fs/ioctl.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/process.hpp"
#include "linux/task/session.hpp"
#include "linux/task/table.hpp"
#include "linux/tty/terminal_file.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality {

namespace {

constexpr std::size_t output_chunk = 256; // bytes of the program, at most twice as many of the terminal
constexpr std::uint64_t tenth_of_a_second = 100; // milliseconds: the unit of VTIME

bool would_not_stop(int signal) { return (current().mask & signal_bit(signal)) != 0 || current().process().actions->ignored(signal); }

} // namespace

LinuxResult<base::Ref<Terminal>> Terminal::attach(const ring::Handles& handles) {
    auto pair = ring::Pair::attach(handles, abi::RingUse::bytes, ring::Side::a);
    if (!pair)
        return fail(pair.error() == abi::Error::no_memory ? Errno::ENOMEM : Errno::EIO);
    auto* made = new (std::nothrow) Terminal(std::move(*pair));
    if (made == nullptr)
        return fail(Errno::ENOMEM);
    auto terminal = base::Ref<Terminal>::adopt(*made);
    terminal->bell_ = TRY(add_bell(terminal->pair_.bell(), *terminal));
    // Asks for the bell: Ctrl-C counts also while nobody reads.
    terminal->on_bell();
    return terminal;
}

Terminal::~Terminal() {
    if (bell_ != 0)
        remove_bell(bell_, pair_.bell());
    pair_.hang_up();
}

LinuxResult<base::Ref<File>> Terminal::open(std::uint32_t open_flags) {
    auto* file = new (std::nothrow) TerminalFile(base::Ref<Terminal>(*this));
    if (file == nullptr)
        return fail(Errno::ENOMEM);
    file->flags = open_flags;
    return base::Ref<File>::adopt(*file);
}

void Terminal::on_bell() {
    do
        pump();
    while (discipline_.has_room() && !pair_.in().must_wait() && !pair_.in().ended() && !pair_.in().broken());
    queue_.wake();
}

void Terminal::echo(std::span<const std::uint8_t> bytes) {
    (void)pair_.out().write(std::as_bytes(bytes));
    pair_.wake_after_write();
}

void Terminal::pump() {
    std::byte byte;
    bool any = false;
    while (discipline_.has_room()) {
        const auto count = pair_.in().read(std::span(&byte, 1));
        if (!count || *count == 0)
            break;
        any = true;
        if (const int signal = discipline_.receive(static_cast<std::uint8_t>(byte), *this); signal != 0 && session_ != nullptr)
            send_to_group(session_->foreground_group, signal);
    }
    if (any)
        pair_.wake_after_read();
}

LinuxResult<void> Terminal::check_foreground(int signal) {
    Process& process = current().process();
    if (session_ == nullptr || process.session.get() != session_ || session_->foreground_group == process.group)
        return {};
    if (would_not_stop(signal))
        return signal == signal_number::ttou ? LinuxResult<void>() : fail(Errno::EIO);
    send_to_group(process.group, signal);
    return fail(Errno::ERESTARTSYS);
}

LinuxResult<void> Terminal::wait_for_input(bool nonblocking, abi::Deadline deadline) {
    if (!pair_.in().must_wait() && discipline_.has_room())
        return {};
    if (nonblocking)
        return fail(Errno::EAGAIN);
    return block(queue_, deadline);
}

LinuxResult<std::size_t> Terminal::read(std::span<std::byte> to, bool nonblocking) {
    TRY(check_foreground(signal_number::ttin));
    if (to.empty())
        return std::size_t{0};
    for (;;) {
        pump();
        if (!discipline_.canonical())
            return read_raw(to, nonblocking);
        if (discipline_.readable())
            return discipline_.read(to);
        if (pair_.in().ended() || pair_.in().broken())
            return std::size_t{0};
        TRY(wait_for_input(nonblocking, abi::never));
        TRY(check_foreground(signal_number::ttin));
    }
}

LinuxResult<std::size_t> Terminal::read_raw(std::span<std::byte> to, bool nonblocking) {
    using namespace terminal_character;
    const std::size_t minimum_bytes = std::min<std::size_t>(discipline_.settings().characters[minimum], to.size());
    const std::uint64_t patience = discipline_.settings().characters[time] * tenth_of_a_second;
    // Without a minimum the time runs from the begin, with one from each byte on.
    abi::Deadline deadline = minimum_bytes == 0 ? native::after_milliseconds(patience) : abi::never;
    std::size_t seen = 0;
    for (;;) {
        pump();
        const std::size_t available = discipline_.available();
        if (available >= std::max<std::size_t>(minimum_bytes, 1) || (minimum_bytes == 0 && patience == 0))
            return discipline_.read(to);
        if (pair_.in().ended() || pair_.in().broken())
            return discipline_.read(to);
        if (minimum_bytes != 0 && patience != 0 && available != seen)
            deadline = native::after_milliseconds(patience);
        seen = available;
        auto waited = wait_for_input(nonblocking, deadline);
        if (waited)
            continue;
        if (waited.error() == Errno::ETIMEDOUT || (discipline_.available() != 0 && waited.error() == Errno::EAGAIN))
            return discipline_.read(to);
        return fail(waited.error());
    }
}

LinuxResult<std::size_t> Terminal::write(std::span<const std::byte> from, bool nonblocking) {
    if ((discipline_.settings().local & terminal_local::stop_background) != 0)
        TRY(check_foreground(signal_number::ttou));
    std::size_t done = 0;
    const auto stop = [&](Errno error) { return done != 0 ? LinuxResult<std::size_t>(done) : fail(error); };
    while (done < from.size()) {
        const auto room = pair_.out().room();
        if (!room)
            return stop(Errno::EIO);
        const std::size_t chunk = discipline_.output_stopped() ? 0 : std::min({from.size() - done, output_chunk, static_cast<std::size_t>(*room / 2)});
        if (chunk != 0) {
            std::byte bytes[2 * output_chunk];
            std::size_t length = 0;
            for (std::size_t i = 0; i < chunk; ++i) {
                std::uint8_t processed[2];
                const std::size_t count = discipline_.process_output(static_cast<std::uint8_t>(from[done + i]), processed);
                std::memcpy(bytes + length, processed, count);
                length += count;
            }
            if (!pair_.out().write(std::span(bytes).first(length)))
                return stop(Errno::EIO);
            done += chunk;
            pair_.wake_after_write();
            continue;
        }
        if (!discipline_.output_stopped() && !pair_.out().must_wait(2 * output_chunk))
            continue;
        if (nonblocking)
            return stop(Errno::EAGAIN);
        if (auto slept = block(queue_); !slept)
            return stop(slept.error());
    }
    return done;
}

std::uint32_t Terminal::poll() {
    pump();
    std::uint32_t events = 0;
    if (!pair_.in().must_wait() && discipline_.has_room())
        pump();
    if (discipline_.readable())
        events |= poll_event::readable;
    if (pair_.in().ended())
        events |= poll_event::hang_up | poll_event::readable;
    if (!discipline_.output_stopped() && !pair_.out().must_wait(2))
        events |= poll_event::writable;
    return events;
}

void Terminal::resize(const WindowSize& size) {
    if (std::memcmp(&size, &size_, sizeof size) == 0)
        return;
    size_ = size;
    if (session_ != nullptr)
        send_to_group(session_->foreground_group, signal_number::winch);
}

LinuxResult<void> Terminal::set_foreground(std::int32_t group) {
    TRY(check_foreground(signal_number::ttou));
    if (session_ == nullptr || current().process().session.get() != session_)
        return fail(Errno::ENOTTY);
    if (group <= 0)
        return fail(Errno::EINVAL);
    Process* const member = find_in_group(group);
    if (member == nullptr)
        return fail(Errno::ESRCH);
    if (member->session.get() != session_)
        return fail(Errno::EPERM);
    session_->foreground_group = group;
    return {};
}

LinuxResult<void> Terminal::take_control() {
    Process& process = current().process();
    if (process.session.get() == session_)
        return {};
    if (process.session->id != process.pid || process.session->terminal || session_ != nullptr)
        return fail(Errno::EPERM);
    process.session->terminal = TRY(open(open_flag::read_write));
    process.session->foreground_group = process.group;
    session_ = process.session.get();
    return {};
}

LinuxResult<std::uint64_t> Terminal::ioctl(std::uint32_t request, std::uint64_t argument) {
    const bool own = session_ != nullptr && current().process().session.get() == session_;
    switch (request) {
    case ioctl_request::get_terminal: *ioctl_argument<TerminalSettings>(argument) = discipline_.settings(); break;
    case ioctl_request::set_terminal:
    case ioctl_request::set_terminal_drain:
    case ioctl_request::set_terminal_flush:
        TRY(check_foreground(signal_number::ttou));
        if (request == ioctl_request::set_terminal_flush) {
            pump();
            discipline_.discard_input();
        }
        discipline_.set(*ioctl_argument<TerminalSettings>(argument));
        queue_.wake();
        break;
    case ioctl_request::drain: break; // what was written is with the other end already
    case ioctl_request::flush:
        if (argument > 2)
            return fail(Errno::EINVAL);
        pump();
        if (argument != 1)
            discipline_.discard_input();
        break;
    case ioctl_request::get_window: *ioctl_argument<WindowSize>(argument) = size_; break;
    case ioctl_request::set_window: resize(*ioctl_argument<WindowSize>(argument)); break;
    case ioctl_request::get_foreground:
        if (!own)
            return fail(Errno::ENOTTY);
        *ioctl_argument<std::int32_t>(argument) = session_->foreground_group;
        break;
    case ioctl_request::set_foreground: TRY(set_foreground(*ioctl_argument<std::int32_t>(argument))); break;
    case ioctl_request::get_session:
        if (!own)
            return fail(Errno::ENOTTY);
        *ioctl_argument<std::int32_t>(argument) = session_->id;
        break;
    case ioctl_request::set_controlling: TRY(take_control()); break;
    case ioctl_request::bytes_readable:
        pump();
        *ioctl_argument<std::int32_t>(argument) = static_cast<std::int32_t>(discipline_.available());
        break;
    case ioctl_request::output_queue: *ioctl_argument<std::int32_t>(argument) = 0; break;
    default: return fail(Errno::ENOTTY);
    }
    return std::uint64_t{0};
}

Terminal* terminal_of(File& file) { return file.kind() == FileKind::terminal ? &static_cast<TerminalFile&>(file).terminal() : nullptr; }

base::Ref<File> open_controlling_terminal() {
    const base::Ref<Session>& session = current().process().session;
    if (!session || !session->terminal)
        return {};
    auto opened = terminal_of(*session->terminal)->open(open_flag::read_write);
    return opened ? *opened : base::Ref<File>();
}

} // namespace personality
