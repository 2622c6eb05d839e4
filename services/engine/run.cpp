// One run of a container's program: streams, start, end, and the start again that a restart policy asks for.
#include <algorithm>
#include <cerrno>

#include <boost/asio/buffer.hpp>

#include "abi/runtime.hpp"
#include "services/common/text.hpp"
#include "services/engine/containers.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

constexpr std::size_t output_piece = 32 << 10;
// How long output may lag behind the exit of its program before it is cut off: the other end is hostile.
constexpr auto output_grace = std::chrono::seconds(5);

int exit_code_of(int wait_status) {
    return (wait_status & 0x7f) == 0 ? wait_status >> 8 & 0xff : 128 + (wait_status & 0x7f);
}

std::string group_of(const std::string& user) { return user.substr(std::min(user.find(':'), user.size() - 1) + 1); }

// The words by which clients tell the kinds of failure apart (exit codes 127 and 126 of `docker run`).
ApiError cannot_execute(const ContainerSpec& spec, int error) {
    using abi::runtime::StartError;
    const std::string program = spec.arguments().front();
    std::string cause;
    switch (static_cast<StartError>(error)) {
    case StartError::unknown_user:
        return bad_request("unable to find user " + spec.user.substr(0, spec.user.find(':')) + ": no matching entries in passwd file");
    case StartError::unknown_group:
        return bad_request("unable to find group " + group_of(spec.user) + ": no matching entries in group file");
    case StartError::id_range: return bad_request("uids and gids must be in range 0-2147483647");
    }
    if (error == ENOENT && program.find('/') == std::string::npos)
        cause = "exec: \"" + program + "\": executable file not found in $PATH";
    else if (error == ENOENT)
        cause = "exec: \"" + program + "\": stat " + program + ": no such file or directory";
    else if (error == EACCES || error == EPERM)
        cause = "exec: \"" + program + "\": permission denied";
    else if (error == EISDIR)
        cause = "exec: \"" + program + "\": is a directory";
    else if (error == ENOEXEC)
        cause = "exec " + program + ": exec format error";
    else if (error == ENOTDIR)
        cause = "exec: \"" + program + "\": not a directory, in the working directory " + spec.directory;
    else
        cause = "exec: \"" + program + "\": error " + std::to_string(error);
    return bad_request("failed to create task for container: failed to create shim task: OCI runtime create failed: "
                       "unable to start container process: "
                       "error during container init: " +
                       cause + ": unknown");
}

int exit_code_of_failure(int error) {
    return error == ENOENT ? 127 : error == EACCES || error == EPERM || error == EISDIR ? 126 : 128;
}

std::vector<std::string> environment_of(const Container& container) {
    std::vector<std::string> result = container.spec.environment;
    auto has = [&](std::string_view name) {
        return std::ranges::any_of(result, [&](const std::string& each) { return each.starts_with(name); });
    };
    if (!has("HOSTNAME=")) result.insert(result.begin() + (result.empty() ? 0 : 1), "HOSTNAME=" + container.hostname());
    const std::string& user = container.spec.user;
    if (!has("HOME=") &&
        (user.empty() || user == "root" || user == "0" || user.starts_with("0:") || user.starts_with("root:")))
        result.push_back("HOME=/root");
    return result;
}

} // namespace

Task<> pump_output(ContainerPointer container, std::shared_ptr<Run> run, Run::Stream& stream, OutputStream kind) {
    std::string piece(output_piece, '\0');
    for (;;) {
        ErrorCode error;
        const std::size_t count =
            co_await stream.async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, error));
        if (error || count == 0) break;
        const std::string_view bytes(piece.data(), count);
        container->log.append(kind, services::realtime_nanoseconds(), bytes);
        container->changed.notify();
        // A copy: clients come and go while one of them is waited for.
        const auto subscribers = container->subscribers;
        for (const auto& subscriber : subscribers) co_await subscriber->push(kind, bytes);
    }
    ErrorCode ignored;
    if (!container->spec.terminal) stream.close(ignored);
    --run->open_outputs;
    container->changed.notify();
}

// Streams and program of one run. Returns the errno of the program's execution; throws ChannelError.
Task<int> Containers::try_program(ContainerPointer container) {
    const std::uint64_t sandbox = container->sandbox.number;
    co_await runtime_.prepare(sandbox);
    auto run = std::make_shared<Run>(io_);
    const bool terminal = container->spec.terminal;
    if (terminal || container->spec.open_stdin) {
        run->input.assign((co_await runtime_.stream(sandbox, 0)).release());
        run->input_open = true;
    }
    if (!terminal) {
        run->output.assign((co_await runtime_.stream(sandbox, 1)).release());
        run->error.assign((co_await runtime_.stream(sandbox, 2)).release());
    }
    ProgramOptions options;
    options.arguments = container->spec.arguments();
    options.environment = environment_of(*container);
    options.directory = container->spec.directory.empty() ? "/" : container->spec.directory;
    options.user = container->spec.user;
    options.terminal = terminal;
    options.stdin_open = container->spec.open_stdin;
    options.rows = container->rows;
    options.columns = container->columns;
    while (starts_ >= RuntimeClient::most_starts && !container->start_unwanted) co_await start_over_.wait();
    if (container->start_unwanted) throw services::ChannelError(abi::Error::canceled, "the container is being removed");
    struct Start {
        Containers& containers;
        explicit Start(Containers& containers) : containers(containers) { ++containers.starts_; }
        ~Start() {
            --containers.starts_;
            containers.start_over_.notify();
        }
    };
    const Start counted(*this);
    const int error = co_await runtime_.start(sandbox, std::move(options));
    if (error == 0) container->run = std::move(run);
    co_return error;
}

Task<> Containers::start_program(ContainerPointer container) {
    container->starting = true;
    container->early_exit.reset();
    container->no_memory = false;
    int error = 0;
    std::optional<services::ChannelError> failure;
    try {
        if (container->broken) co_await free_sandbox(*container);
        if (container->sandbox.number == 0) {
            co_await make_sandbox(*container);
            by_sandbox_[container->sandbox.number] = container;
        }
        error = co_await try_program(container);
    } catch (const services::ChannelError& thrown) {
        failure = thrown;
    } catch (...) {
        container->starting = false;
        if (container->state == State::restarting) {
            container->state = State::exited;
            container->finished = services::realtime_nanoseconds();
        }
        container->changed.notify();
        throw;
    }
    container->starting = false;
    if (error != 0 || failure) {
        const ApiError answer = cannot_execute(container->spec, error);
        container->error = failure ? failure->what() : answer.what();
        container->exit_code = failure ? 128 : exit_code_of_failure(error);
        if (container->state == State::restarting) {
            container->state = State::exited;
            container->finished = services::realtime_nanoseconds();
        }
        for (const auto& subscriber : std::exchange(container->subscribers, {})) subscriber->close();
        ++container->exits;
        container->changed.notify();
        if (container->spec.auto_remove) asio::co_spawn(io_, remove(container, true), [](std::exception_ptr) {});
        if (failure) throw_runtime_failure(*failure, "failed to start the container");
        throw answer;
    }
    container->state = State::running;
    container->error.clear();
    container->exit_code = 0;
    container->started = services::realtime_nanoseconds();
    auto run = container->run;
    if (container->spec.terminal) {
        run->open_outputs = 1;
        asio::co_spawn(io_, pump_output(container, run, run->input, OutputStream::standard_output), asio::detached);
    } else {
        run->open_outputs = 2;
        asio::co_spawn(io_, pump_output(container, run, run->output, OutputStream::standard_output), asio::detached);
        asio::co_spawn(io_, pump_output(container, run, run->error, OutputStream::standard_error), asio::detached);
    }
    publish(*container, "start");
    container->changed.notify();
    if (const auto status = std::exchange(container->early_exit, std::nullopt)) begin_finish(container, *status);
}

Task<> Containers::finish_run(ContainerPointer container, int wait_status) {
    const auto run = std::exchange(container->run, nullptr);
    if (!run) co_return;
    ErrorCode ignored;
    if (!container->spec.terminal) run->input.close(ignored);
    run->input_open = false;
    if (!co_await container->changed.wait_until(Clock::now() + output_grace, [&] { return run->open_outputs == 0; })) {
        run->output.close(ignored);
        run->error.close(ignored);
    }
    run->input.close(ignored);
    const auto now = services::realtime_nanoseconds();
    container->log.finish(now);
    container->finished = now;
    container->exit_code = exit_code_of(wait_status);
    container->state = State::exited;
    ++container->exits;
    for (const auto& subscriber : std::exchange(container->subscribers, {})) subscriber->close();
    const auto seconds = (container->finished - container->started) / 1'000'000'000;
    publish(*container, "die",
            {{"exitCode", std::to_string(container->exit_code)}, {"execDuration", std::to_string(seconds)}});
    container->changed.notify();
    if (container->spec.auto_remove)
        asio::co_spawn(io_, remove(container, true), [](std::exception_ptr) {});
    else if (restart_wanted(*container)) {
        container->state = State::restarting;
        asio::co_spawn(io_, restart_later(container), [](std::exception_ptr) {});
    }
}

bool Containers::restart_wanted(const Container& container) const {
    if (container.stop_asked) return false;
    switch (container.spec.restart.kind) {
    case RestartPolicy::Kind::no: return false;
    case RestartPolicy::Kind::always:
    case RestartPolicy::Kind::unless_stopped: return true;
    case RestartPolicy::Kind::on_failure:
        return container.exit_code != 0 &&
               (container.spec.restart.most_retries == 0 || container.restarts < container.spec.restart.most_retries);
    }
    return false;
}

Task<> Containers::restart_later(ContainerPointer container) {
    // 100 ms, doubled for each restart in a row, up to a minute; a run of ten seconds begins anew.
    if (container->finished - container->started > 10'000'000'000) container->restarts = 0;
    const auto pause =
        std::min<std::int64_t>(std::int64_t{100} << std::min<std::uint64_t>(container->restarts, 10), 60'000);
    co_await container->changed.wait_until(Clock::now() + std::chrono::milliseconds(pause), [&] {
        return container->stop_asked || container->state != State::restarting;
    });
    const auto guard = co_await container->lifecycle.lock();
    if (container->state != State::restarting || container->start_unwanted) co_return;
    if (container->stop_asked) {
        container->state = State::exited;
        container->changed.notify();
        co_return;
    }
    ++container->restarts;
    co_await start_program(container);
}

} // namespace engine
