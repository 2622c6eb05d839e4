#include "linux/sandbox/control.hpp"

#include "abi/runtime.hpp"
#include "abi/sandbox.hpp"
#include "abi/sandbox_control_client.hpp"
#include "abi/tlv.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"
#include "linux/calls/table.hpp"
#include "linux/core/lock.hpp"
#include "linux/exec/first_program.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/root.hpp"
#include "linux/net/link.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/sandbox/stream_file.hpp"
#include "linux/sandbox/user.hpp"
#include "linux/signal/send.hpp"
#include "linux/task/exit.hpp"
#include "linux/task/guest_loop.hpp"
#include "linux/task/table.hpp"
#include "linux/tty/terminal.hpp"

#include <array>
#include <utility>

namespace personality {

namespace {

using abi::runtime::Tag;
using abi::sandbox::Command;
using abi::sandbox::Event;

constexpr std::size_t largest_command = 64 * 1024; // the control ring's size bounds it too
constexpr std::uint32_t streams = 3;

// Sandbox lock for the ring's producer and the fields; the consumer is the control thread's.
struct Control {
    ring::Pair pair;
    bool program_runs = false;
    // A short program may have ended before this thread says that it started; runtime hears of the start first.
    bool start_announced = false;
    base::Ref<Terminal> terminal; // of the current run, or null
    bool exit_due = false;
    std::uint32_t status = 0;
};
constinit Control* control = nullptr;
alignas(Control) constinit std::byte control_storage[sizeof(Control)] = {};
alignas(8) constinit std::byte command_bytes[largest_command] = {};

// Sandbox lock held. The ring has room for all answers to the commands that runtime may have outstanding; a peer that does not read loses its events.
void send_event(Event event, const abi::TlvWriter& writer) {
    (void)control->pair.out().write_record(static_cast<std::uint32_t>(event), writer.written());
    control->pair.wake_after_write();
}

void send_number(Event event, Tag tag, std::uint64_t value) {
    std::byte bytes[64];
    abi::TlvWriter writer(bytes);
    writer.number(static_cast<std::uint16_t>(tag), value);
    send_event(event, writer);
}

base::Result<native::sandbox_control::StreamReply> ask_for_stream(std::uint32_t index) {
    const abi::Handle endpoint = native::granted("control.streams");
    if (endpoint == abi::no_handle)
        return base::fail(abi::Error::not_found);
    const SandboxUnlock unlocked;
    native::sandbox_control::Client client(native::Caller{endpoint});
    return client.stream({index});
}

LinuxResult<base::Ref<File>> open_stream(std::uint32_t index) {
    const auto reply = ask_for_stream(index);
    if (!reply && reply.error() != abi::Error::bad_state && reply.error() != abi::Error::not_found)
        return fail(Errno::EIO);
    if (!reply) {
        // Nobody asked for this stream of the run: as a daemon's, it is /dev/null.
        const Location root = sandbox_mounts().root();
        const PathContext context{sandbox_mounts(), root, root, {}};
        return open_path(context, root, "/dev/null", {index == 0 ? 0u : 1u, 0, 0});
    }
    return StreamFile::attach({reply->ring, reply->wait, reply->signal}, ring::Side::a, index == 0 ? 0 : 1);
}

struct StartCommand {
    FirstProgram first;
    bool terminal = false;
    WindowSize window;
    std::string_view user;
    bool has_home = false;
};

LinuxResult<void> read_start(std::span<const std::byte> payload, StartCommand& command) {
    abi::TlvReader reader(payload);
    abi::TlvRecord record;
    command.first.directory = "/";
    while (reader.next(record))
        switch (static_cast<Tag>(record.tag)) {
        case Tag::argument: TRY(command.first.arguments.add(record.text())); break;
        case Tag::environment:
            if (record.text().starts_with("PATH="))
                command.first.search = record.text().substr(5);
            if (record.text().starts_with("HOME="))
                command.has_home = true;
            TRY(command.first.environment.add(record.text()));
            break;
        case Tag::directory: command.first.directory = record.text(); break;
        case Tag::user: command.user = record.text(); break;
        case Tag::terminal: command.terminal = record.number() != 0; break;
        case Tag::rows: command.window.rows = static_cast<std::uint16_t>(record.number()); break;
        case Tag::columns: command.window.columns = static_cast<std::uint16_t>(record.number()); break;
        default: break;
        }
    return reader.ok() ? LinuxResult<void>() : fail(Errno::EINVAL);
}

// `docker run -w` makes a directory that is missing.
void make_directories(const PathContext& context, std::string_view path) {
    for (std::size_t at = 1; at <= path.size(); ++at)
        if (at == path.size() || path[at] == '/')
            (void)make_node(context, context.root, path.substr(0, at), {mode::directory | 0755, 0, 0});
}

// Descriptors 0, 1 and 2. Sandbox lock held.
LinuxResult<void> open_streams(StartCommand& command) {
    FirstProgram& first = command.first;
    first.files = TRY(FdTable::create());
    if (!command.terminal) {
        for (std::uint32_t index = 0; index < streams; ++index)
            (void)TRY(first.files->install(TRY(open_stream(index)), false, streams));
        return {};
    }
    const auto reply = ask_for_stream(0);
    if (!reply)
        return fail(Errno::EIO);
    control->terminal = TRY(Terminal::attach({reply->ring, reply->wait, reply->signal}));
    control->terminal->resize(command.window);
    first.terminal = TRY(control->terminal->open(open_flag::read_write));
    for (std::uint32_t index = 0; index < streams; ++index)
        (void)TRY(first.files->install(first.terminal, false, streams));
    return {};
}

void resize(std::span<const std::byte> payload) {
    abi::TlvReader reader(payload);
    abi::TlvRecord record;
    WindowSize size;
    while (reader.next(record)) {
        if (record.tag == static_cast<std::uint16_t>(Tag::rows))
            size.rows = static_cast<std::uint16_t>(record.number());
        if (record.tag == static_cast<std::uint16_t>(Tag::columns))
            size.columns = static_cast<std::uint16_t>(record.number());
    }
    const SandboxLock lock;
    if (control->terminal)
        control->terminal->resize(size);
}

LinuxResult<void> start(std::span<const std::byte> payload) {
    StartCommand command;
    TRY(read_start(payload, command));
    FirstProgram& first = command.first;
    {
        SandboxLock lock;
        const Location root = sandbox_mounts().root();
        const PathContext context{sandbox_mounts(), root, root, {}};
        User user = TRY(find_user(context, command.user));
        if (!command.has_home) {
            char home[sizeof user.home + 5] = "HOME=";
            const std::size_t length = std::string_view(user.home).copy(home + 5, sizeof user.home);
            TRY(first.environment.add({home, 5 + length}));
        }
        first.credentials = user.credentials;
        make_directories(context, first.directory);
        TRY(open_streams(command));
        control->program_runs = true;
        control->start_announced = false;
        control->exit_due = false;
    }
    auto started = start_first_program(first);
    if (!started) {
        SandboxLock lock;
        control->program_runs = false;
        first.files = nullptr; // closes the streams, under the lock
        first.terminal = nullptr;
        control->terminal = nullptr;
        return fail(started.error());
    }
    SandboxLock lock;
    first.files = nullptr;
    first.terminal = nullptr;
    return {};
}

void signal_first(int number) {
    const SandboxLock lock;
    Process* const first = init_process();
    if (first == nullptr || !valid_signal(number))
        return;
    if (number == signal_number::kill) {
        end_process_with(*first, signal_number::kill);
        return;
    }
    SignalInfo info;
    info.number = number;
    info.code = signal_code::user;
    send_signal(*first, info);
}

void shut_down() {
    const SandboxLock lock;
    end_all();
}

void send_stats() {
    std::byte bytes[256];
    abi::TlvWriter writer(bytes);
    const SandboxLock lock;
    const Times times = sandbox_times();
    writer.number(static_cast<std::uint16_t>(Tag::tasks), task_count());
    writer.number(static_cast<std::uint16_t>(Tag::cpu_nanoseconds), times.user + times.system);
    writer.number(static_cast<std::uint16_t>(Tag::received_bytes), net::interface_counters().received_bytes);
    writer.number(static_cast<std::uint16_t>(Tag::sent_bytes), net::interface_counters().sent_bytes);
    send_event(Event::stats, writer);
}

// Calls that had no handler since the last report. Sandbox lock held.
void report_missing_calls() {
    static constinit std::array<std::uint32_t, call_count> reported{};
    std::byte bytes[abi::sandbox::missing_calls_at_once * (sizeof(abi::TlvHeader) + sizeof(abi::runtime::MissingCall))];
    unsigned number = 0;
    while (number < call_count) {
        abi::TlvWriter writer(bytes);
        for (unsigned records = 0; number < call_count && records < abi::sandbox::missing_calls_at_once; ++number) {
            const std::uint32_t count = missing_calls(number);
            if (count == reported[number])
                continue;
            const abi::runtime::MissingCall call{0, number, count - reported[number]};
            reported[number] = count;
            writer.bytes(static_cast<std::uint16_t>(Tag::missing_call), std::as_bytes(std::span(&call, 1)));
            ++records;
        }
        if (!writer.written().empty())
            send_event(Event::missing_calls, writer);
    }
}

// Sandbox lock held.
void announce_start(std::uint64_t error) {
    send_number(Event::started, Tag::linux_error, error);
    control->start_announced = true;
    if (std::exchange(control->exit_due, false))
        send_number(Event::exited, Tag::signal, control->status);
}

void announce_exit() {
    if (control->start_announced)
        send_number(Event::exited, Tag::signal, control->status);
    else
        control->exit_due = true;
}

void handle(Command command, std::span<const std::byte> payload) {
    abi::TlvReader reader(payload);
    abi::TlvRecord record;
    std::uint64_t number = 0;
    switch (command) {
    case Command::start: {
        const auto started = start(payload);
        const SandboxLock lock;
        announce_start(started ? 0 : static_cast<std::uint64_t>(started.error()));
        break;
    }
    case Command::signal:
        while (reader.next(record))
            if (record.tag == static_cast<std::uint16_t>(Tag::signal))
                number = record.number();
        signal_first(static_cast<int>(number & 0x7f));
        break;
    case Command::shut_down: shut_down(); break;
    case Command::stats: send_stats(); break;
    case Command::resize: resize(payload); break;
    case Command::limits: {
        const SandboxLock lock;
        (void)read_processor_limits(reader);
        break;
    }
    }
}

} // namespace

void first_program_ended(std::uint32_t status) { control->status = status; }

void last_task_ended() {
    if (!control->program_runs)
        return;
    control->program_runs = false;
    control->terminal = nullptr;
    report_missing_calls();
    // What the programs wrote to their connections still goes out.
    constexpr std::uint64_t patience = 1000; // milliseconds
    net::when_all_sent(native::after_milliseconds(patience), announce_exit);
}

void memory_ran_out() {
    if (control->program_runs)
        send_event(Event::no_memory, abi::TlvWriter({}));
}

void serve_control(ring::Pair pair) {
    control = new (control_storage) Control{std::move(pair)};
    {
        const SandboxLock lock;
        send_event(Event::ready, abi::TlvWriter({}));
    }
    for (;;) {
        auto record = control->pair.in().read_record(command_bytes);
        if (record) {
            control->pair.wake_after_read();
            handle(static_cast<Command>(record->kind), std::span(command_bytes).first(record->length));
            continue;
        }
        if (record.error() == abi::Error::too_large)
            continue;
        if (record.error() != abi::Error::would_block)
            return;
        if (control->pair.in().must_wait())
            (void)native::call::notification_wait(control->pair.bell(), abi::never);
    }
}

} // namespace personality
