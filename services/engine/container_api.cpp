// /containers but for the streams.
#include <algorithm>

#include "services/common/text.hpp"
#include "services/engine/engine.hpp"
#include "services/engine/platform.hpp"
#include "services/engine/filters.hpp"

namespace engine {

namespace {

bool image_fits(const Container& container, const std::string& value) {
    const std::string id = container.image.id;
    const auto& names = container.image.names;
    return container.spec.image == value || id == value || id.starts_with("sha256:" + value) ||
           std::ranges::find(names, value) != names.end() || std::ranges::find(names, value + ":latest") != names.end();
}

bool port_fits(const Container& container, const std::string& value, bool published) {
    const ContainerPort wanted = parse_port(value);
    if (!published) return std::ranges::find(container.spec.exposed, wanted) != container.spec.exposed.end();
    return std::ranges::any_of(container.published, [&](const PortBinding& binding) {
        return binding.node_port == wanted.number && binding.container.protocol == wanted.protocol;
    });
}

bool list_wanted(const Container& container, const Filters& filters) {
    auto exited = [&](const std::string& value) {
        return container.state == State::exited && std::to_string(container.exit_code) == value;
    };
    auto network = [&](const std::string& value) {
        const std::string_view id = container.spec.network ? bridge_network_id : none_network_id;
        return value == (container.spec.network ? "bridge" : "none") || id.starts_with(value);
    };
    return filters.allows("status", state_name(container.state)) &&
           filters.allows_match("name", {container.name, "/" + container.name}) && filters.allows_match("id", {container.id}) &&
           filters.allows_labels(container.spec.labels) &&
           filters.allows_if("ancestor", [&](const std::string& value) { return image_fits(container, value); }) &&
           filters.allows_if("exited", exited) && filters.allows_if("network", network) &&
           filters.allows_if("publish", [&](const std::string& value) { return port_fits(container, value, true); }) &&
           filters.allows_if("expose", [&](const std::string& value) { return port_fits(container, value, false); }) &&
           filters.allows("health", "none") && filters.allows("is-task", "false") &&
           filters.allows("isolation", "default") && !filters.has("volume");
}

int timeout_of(const Exchange& exchange, const Container& container) {
    const auto given = exchange.target().number("t");
    return given ? static_cast<int>(std::clamp<long long>(*given, -1, 1 << 20)) : container.spec.stop_timeout;
}

int stop_signal_of(const Exchange& exchange, const Container& container) {
    const std::string given(exchange.target().parameter("signal"));
    return parse_signal(!given.empty()                        ? given
                        : !container.spec.stop_signal.empty() ? container.spec.stop_signal
                                                              : "SIGTERM");
}

std::uint16_t dimension(const Exchange& exchange, const char* name) {
    const auto value = exchange.target().number(name);
    if (!value || *value < 0 || *value > 65535) throw bad_request(std::string("invalid resize dimension ") + name);
    return static_cast<std::uint16_t>(*value);
}

} // namespace

Task<> answer_container_create(Engine& engine, Exchange& exchange, std::string) {
    check_platform(exchange.target().parameter("platform"));
    ContainerSpec spec = parse_container_spec(co_await exchange.json_body(true));
    if (spec.memory_bytes != 0) {
        const auto info = co_await engine.runtime.node_info();
        const std::uint64_t has = info.number(abi::runtime::Tag::total_pages) * abi::page_size;
        if (spec.memory_bytes > has) spec.warnings.push_back("the memory limit is never reached: the node has " + std::to_string(has >> 20) + " MiB");
    }
    std::string name(exchange.target().parameter("name"));
    ContainerPointer container;
    try {
        container = co_await engine.containers.create(std::move(spec), std::move(name));
    } catch (const images::ImageError& error) {
        throw ApiError(error.status, error.what());
    }
    co_await exchange.reply(201, Json{{"Id", container->id}, {"Warnings", container->spec.warnings}});
}

Task<> answer_container_list(Engine& engine, Exchange& exchange, std::string) {
    const Target& target = exchange.target();
    const Filters filters = Filters::parse(
        target.parameter("filters"), {"status", "name", "id", "label", "ancestor", "exited", "before", "since",
                                      "network", "publish", "expose", "health", "is-task", "isolation", "volume"});
    for (const std::string& status : filters.values("status"))
        if (status != "created" && status != "running" && status != "restarting" && status != "exited" &&
            status != "removing" && status != "paused" && status != "dead")
            throw bad_request("invalid filter 'status=" + status + "'");
    const auto limit = target.number("limit").value_or(-1);
    const bool all = target.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
    std::int64_t before = INT64_MAX;
    std::int64_t since = INT64_MIN;
    for (const std::string& reference : filters.values("before"))
        before = std::min(before, engine.containers.find(reference)->created);
    for (const std::string& reference : filters.values("since"))
        since = std::max(since, engine.containers.find(reference)->created);
    Json result = Json::array();
    for (const auto& container : engine.containers.list()) {
        if ((!all && !container->running() && container->state != State::restarting) || container->created >= before ||
            container->created <= since || !list_wanted(*container, filters))
            continue;
        if (limit > 0 && result.size() >= static_cast<std::size_t>(limit)) break;
        result.push_back(container_summary(*container));
        if (target.flag("size")) result.back()["SizeRootFs"] = container->image.size;
    }
    co_await exchange.reply(200, result);
}

Task<> answer_container_inspect(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    Json details = container_details(*container);
    if (exchange.target().flag("size")) details["SizeRootFs"] = container->image.size;
    co_await exchange.reply(200, details);
}

Task<> answer_container_start(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const bool started = co_await engine.containers.start(container);
    co_await exchange.reply_empty(started ? 204 : 304);
}

Task<> answer_container_stop(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const bool stopped = co_await engine.containers.stop(container, stop_signal_of(exchange, *container),
                                                         timeout_of(exchange, *container));
    co_await exchange.reply_empty(stopped ? 204 : 304);
}

Task<> answer_container_restart(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    co_await engine.containers.stop(container, stop_signal_of(exchange, *container), timeout_of(exchange, *container));
    co_await engine.containers.start(container);
    engine.containers.publish(*container, "restart");
    co_await exchange.reply_empty(204);
}

Task<> answer_container_kill(Engine& engine, Exchange& exchange, std::string id) {
    const std::string given(exchange.target().parameter("signal"));
    const int signal = parse_signal(given.empty() ? "KILL" : given);
    co_await engine.containers.kill(engine.containers.find(id), signal);
    co_await exchange.reply_empty(204);
}

Task<> answer_container_remove(Engine& engine, Exchange& exchange, std::string id) {
    if (exchange.target().flag("link")) throw not_supported("removing a link");
    const bool force = exchange.target().flag("force");
    co_await engine.containers.remove(engine.containers.find(id), force);
    co_await exchange.reply_empty(204);
}

Task<> answer_container_rename(Engine& engine, Exchange& exchange, std::string id) {
    engine.containers.rename(*engine.containers.find(id), std::string(exchange.target().parameter("name")));
    co_await exchange.reply_empty(204);
}

Task<> answer_container_resize(Engine& engine, Exchange& exchange, std::string id) {
    const std::uint16_t rows = dimension(exchange, "h");
    const std::uint16_t columns = dimension(exchange, "w");
    co_await engine.containers.resize(engine.containers.find(id), rows, columns);
    co_await exchange.reply_empty(200);
}

Task<> answer_container_update(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const auto warnings = co_await engine.containers.update(container, co_await exchange.json_body(true));
    co_await exchange.reply(200, Json{{"Warnings", warnings.empty() ? Json() : Json(warnings)}});
}

Task<> answer_container_wait(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const std::string condition(exchange.target().parameter("condition"));
    if (!condition.empty() && condition != "not-running" && condition != "next-exit" && condition != "removed")
        throw bad_request("invalid condition: \"" + condition + "\"");
    const auto exits = container->exits;
    auto done = [&] {
        if (container->removed) return true;
        if (condition == "removed") return false;
        if (condition == "next-exit") return container->exits != exits;
        return !container->running() && !container->starting && container->state != State::restarting;
    };
    // The client goes on once it has the head: `docker run` starts the container only then.
    co_await exchange.begin_stream(200, "application/json");
    exchange.watch([container] { container->changed.notify(); });
    while (!done() && !exchange.client_gone()) co_await container->changed.wait();
    co_await exchange.unwatch();
    if (!done()) co_return;
    co_await exchange.write_piece(Json{{"StatusCode", container->exit_code}}.dump() + "\n");
    co_await exchange.end_stream();
}

Task<> answer_container_prune(Engine& engine, Exchange& exchange, std::string) {
    const Filters filters = Filters::parse(exchange.target().parameter("filters"), {"label", "label!", "until"});
    const std::int64_t until = filters.until(services::realtime_nanoseconds());
    Json deleted = Json::array();
    for (const auto& container : engine.containers.list()) {
        if ((container->state != State::exited && container->state != State::created) || container->starting ||
            container->created > until || !filters.allows_labels(container->spec.labels))
            continue;
        try {
            co_await engine.containers.remove(container, false);
            deleted.push_back(container->id);
        } catch (const ApiError&) {
            // Started or removed by another client in the meantime.
        }
    }
    co_await exchange.reply(200, Json{{"ContainersDeleted", deleted}, {"SpaceReclaimed", 0}});
}

} // namespace engine
