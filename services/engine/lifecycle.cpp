// The life cycle of containers as clients and the runtime drive it: start, stop, kill, removal, events.
#include "services/common/log.hpp"
#include "services/engine/containers.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

constexpr int signal_kill = 9;
constexpr int kill_grace_seconds = 10;
// A container that is to go may take so long to end by itself; then it goes with its sandbox, whatever its programs do.
constexpr int removal_grace_seconds = 1;

} // namespace

Task<bool> Containers::start(ContainerPointer container) {
    const auto guard = co_await container->lifecycle.lock();
    if (container->removed || container->state == State::removing || container->start_unwanted)
        throw ApiError(409, "container is marked for removal and cannot be started");
    if (container->running()) co_return false;
    container->stop_asked = false;
    container->restarts = container->state == State::restarting ? container->restarts : 0;
    co_await start_program(container);
    co_return true;
}

void Containers::begin_finish(const ContainerPointer& container, int wait_status) {
    asio::co_spawn(io_, finish_run(container, wait_status), asio::detached);
}

void Containers::on_event(const abi::runtime::EventRecord& event) {
    const auto found = by_sandbox_.find(event.sandbox);
    const ContainerPointer container = found == by_sandbox_.end() ? nullptr : found->second.lock();
    if (!container || container->broken) return;
    switch (static_cast<abi::runtime::Event>(event.event)) {
    case abi::runtime::Event::no_memory:
        container->no_memory = true;
        publish(*container, "oom");
        break;
    case abi::runtime::Event::crashed:
        services::log_line("the sandbox of container " + container->id + " crashed");
        container->error = "the container's sandbox crashed; its files are lost";
        container->broken = true;
        asio::co_spawn(io_, free_broken(container), [](std::exception_ptr) {});
        [[fallthrough]];
    case abi::runtime::Event::exited: {
        const int status = static_cast<abi::runtime::Event>(event.event) == abi::runtime::Event::crashed
                               ? signal_kill
                               : static_cast<int>(event.detail);
        if (container->starting)
            container->early_exit = status;
        else if (container->running() && container->run)
            begin_finish(container, status);
        break;
    }
    }
}

// `lifecycle` held. Throws ChannelError, and the container has its sandbox still.
Task<> Containers::free_sandbox(Container& container) {
    const std::uint64_t number = container.sandbox.number;
    try {
        if (number != 0) co_await runtime_.destroy(number);
    } catch (const services::ChannelError& error) {
        if (error.error != abi::Error::not_found) throw;
    }
    by_sandbox_.erase(number);
    container.sandbox = {};
    container.broken = false;
}

// The next start makes a new one. Where it cannot be freed now, that start or the removal tries again.
Task<> Containers::free_broken(ContainerPointer container) {
    const auto guard = co_await container->lifecycle.lock();
    if (container->removed || !container->broken) co_return;
    try {
        co_await free_sandbox(*container);
    } catch (const services::ChannelError& error) {
        services::log_line("what is left of the sandbox of container " + container->id + " stays until its next start or its removal: " + error.what());
    }
}

Task<bool> Containers::wait_for_exit(ContainerPointer container, std::uint64_t exits, int seconds) {
    auto ended = [&] { return container->exits != exits || container->removed; };
    if (seconds >= 0)
        co_return co_await container->changed.wait_until(Clock::now() + std::chrono::seconds(seconds), ended);
    while (!ended()) co_await container->changed.wait();
    co_return true;
}

Task<bool> Containers::stop(ContainerPointer container, int signal, int timeout) {
    if (container->state == State::restarting || container->starting) {
        container->stop_asked = true;
        container->changed.notify();
        // A program that is being started is stopped once it runs.
        const auto guard = co_await container->lifecycle.lock();
        if (container->state == State::restarting) {
            container->state = State::exited;
            container->changed.notify();
        }
        if (!container->running()) co_return true;
    }
    if (!container->running()) co_return false;
    container->stop_asked = true;
    const auto exits = container->exits;
    auto send = [&](int number) -> Task<> {
        try {
            co_await runtime_.signal(container->sandbox.number, number);
        } catch (const services::ChannelError& error) {
            if (error.error != abi::Error::bad_state) // it ended in the meantime
                throw_runtime_failure(error, "cannot stop container: " + container->id);
        }
        publish(*container, "kill", {{"signal", std::to_string(number)}});
    };
    co_await send(signal);
    if (!co_await wait_for_exit(container, exits, timeout)) {
        co_await send(signal_kill);
        if (!co_await wait_for_exit(container, exits, kill_grace_seconds))
            throw ApiError(500, "cannot stop container: " + container->id +
                                    ": tried to kill container, but did not receive an exit event");
    }
    publish(*container, "stop");
    co_return true;
}

Task<> Containers::kill(ContainerPointer container, int signal) {
    if (!container->running())
        throw ApiError(409, "cannot kill container: " + container->name + ": container " + container->id +
                                " is not running");
    const auto exits = container->exits;
    if (signal == signal_kill) container->stop_asked = true;
    try {
        co_await runtime_.signal(container->sandbox.number, signal);
    } catch (const services::ChannelError& error) {
        if (error.error == abi::Error::bad_state)
            throw ApiError(409, "cannot kill container: " + container->name + ": container " + container->id +
                                    " is not running");
        throw_runtime_failure(error, "cannot kill container: " + container->name);
    }
    publish(*container, "kill", {{"signal", std::to_string(signal)}});
    if (signal == signal_kill && !co_await wait_for_exit(container, exits, kill_grace_seconds))
        throw ApiError(500, "cannot kill container: " + container->name + ": no exit event");
}

// No start begins until the removal holds `lifecycle`. One under way may wait for its sandbox until the runtime gives up on that: without a sandbox it fails at once.
Task<> Containers::end_start(ContainerPointer container) {
    container->start_unwanted = true;
    start_over_.notify();
    if (!container->starting || container->sandbox.number == 0) co_return;
    try {
        co_await runtime_.destroy(container->sandbox.number);
    } catch (const services::ChannelError&) {
        // The removal tries again, and tells.
    }
}

Task<> Containers::remove(ContainerPointer container, bool force) {
    if (container->removed) throw ApiError(404, "No such container: " + container->id);
    if (container->state == State::removing)
        throw ApiError(409, "removal of container " + container->name + " is already in progress");
    if (container->running() && !force)
        throw ApiError(409, "cannot remove container \"/" + container->name +
                                "\": container is running: stop the container before removing or force remove");
    if (container->state == State::restarting && !force)
        throw ApiError(409, "cannot remove container \"/" + container->name +
                                "\": container is restarting: stop the container before removing or force remove");
    if (container->running()) {
        container->stop_asked = true;
        const auto exits = container->exits;
        try {
            co_await runtime_.signal(container->sandbox.number, signal_kill);
        } catch (const services::ChannelError&) {
            // It ended in the meantime, or the runtime lost it: destroying it tells.
        }
        co_await wait_for_exit(container, exits, removal_grace_seconds);
        // With AutoRemove the exit has begun the removal: its end is waited for.
        while (container->state == State::removing && !container->removed) co_await container->changed.wait();
        if (container->removed) co_return;
    }
    if (force) co_await end_start(container);
    const auto guard = co_await container->lifecycle.lock();
    if (force) container->start_unwanted = false;
    if (container->removed) co_return;
    if (container->running() && !force)
        throw ApiError(409, "cannot remove container \"/" + container->name + "\": it was started in the meantime");
    const bool runs = container->running();
    const State before = std::exchange(container->state, State::removing);
    try {
        co_await free_sandbox(*container);
    } catch (const services::ChannelError& error) {
        container->state = before;
        container->changed.notify();
        throw_runtime_failure(error, "cannot remove container \"/" + container->name + "\"");
    }
    if (runs) {
        co_await finish_run(container, signal_kill);
        container->state = State::removing;
    }
    if (const auto run = std::exchange(container->run, nullptr)) {
        ErrorCode ignored;
        run->input.close(ignored);
        run->output.close(ignored);
        run->error.close(ignored);
    }
    container->removed = true;
    containers_.erase(container->id);
    names_.erase(container->name);
    for (const auto& subscriber : std::exchange(container->subscribers, {})) subscriber->close();
    publish(*container, "destroy");
    container->changed.notify();
}

void Containers::on_runtime_lost() {
    asio::co_spawn(io_, check_sandboxes(), [](std::exception_ptr) {});
}

Task<> Containers::check_sandboxes() {
    for (const ContainerPointer& container : list()) {
        if (container->sandbox.number == 0) continue;
        bool lost = false;
        try {
            co_await runtime_.inspect(container->sandbox.number);
        } catch (const services::ChannelError& error) {
            lost = error.error == abi::Error::not_found;
        }
        if (lost)
            on_event({0, container->sandbox.number, static_cast<std::uint32_t>(abi::runtime::Event::crashed), 0, 0});
    }
}

} // namespace engine
