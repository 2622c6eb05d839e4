// /_ping, /version, /info, /events, /system/df
#include <sys/utsname.h>

#include "services/common/text.hpp"
#include "services/engine/engine.hpp"
#include "services/engine/filters.hpp"
#include "services/engine/moment.hpp"

namespace engine {

namespace {

std::string kernel_release() {
    utsname names{};
    return ::uname(&names) == 0 ? names.release : "";
}

Json event_json(const EventMessage& message) {
    Json attributes = Json::object();
    for (const auto& [name, value] : message.attributes) attributes[name] = value;
    Json result{{"Type", message.type},
                {"Action", message.action},
                {"Actor", {{"ID", message.id}, {"Attributes", attributes}}},
                {"scope", "local"},
                {"time", message.time / 1'000'000'000},
                {"timeNano", message.time}};
    // The old form, which clients up to API 1.51 may read.
    if (message.type == "container") {
        result["status"] = message.action;
        result["id"] = message.id;
        result["from"] = message.from;
    } else if (message.type == "image") {
        result["status"] = message.action;
        result["id"] = message.id;
    }
    return result;
}

bool event_wanted(const EventMessage& message, const Filters& filters) {
    const auto attribute = [&](const char* name) {
        const auto found = message.attributes.find(name);
        return found == message.attributes.end() ? std::string() : found->second;
    };
    auto container = [&](const std::string& value) { return message.id.starts_with(value) || attribute("name").starts_with(value); };
    auto image = [&](const std::string& value) {
        const std::string name = attribute(message.type == "image" ? "name" : "image");
        return message.id == value || name == value || name.substr(0, name.rfind(':')) == value;
    };
    return filters.allows("type", message.type) &&
           filters.allows_if("event",
                             [&](const std::string& value) {
                                 return message.action == value || message.action.starts_with(value + ":");
                             }) &&
           (!filters.has("container") || (message.type == "container" && filters.allows_if("container", container))) &&
           filters.allows_if("image", image) && filters.allows_labels(message.attributes) &&
           filters.allows("scope", "local");
}

} // namespace

Task<> answer_ping(Engine&, Exchange& exchange, std::string) {
    // HEAD has no body, but the length that GET would have confuses no client: Docker gives 0.
    if (exchange.method() == "HEAD")
        co_await exchange.reply_text(200, "text/plain; charset=utf-8", "");
    else
        co_await exchange.reply_text(200, "text/plain; charset=utf-8", "OK");
}

Task<> answer_version(Engine&, Exchange& exchange, std::string) {
    const std::string kernel = kernel_release();
    const Json details{{"ApiVersion", newest_version.text()},
                       {"Arch", "amd64"},
                       {"KernelVersion", kernel},
                       {"MinAPIVersion", oldest_version.text()},
                       {"Os", "linux"}};
    co_await exchange.reply(
        200, Json{{"Platform", {{"Name", "ThemeliOS"}}},
                  {"Components",
                   Json::array({Json{{"Name", "Engine"}, {"Version", THEMELIOS_VERSION}, {"Details", details}}})},
                  {"Version", THEMELIOS_VERSION},
                  {"ApiVersion", newest_version.text()},
                  {"MinAPIVersion", oldest_version.text()},
                  {"GitCommit", ""},
                  {"GoVersion", ""},
                  {"Os", "linux"},
                  {"Arch", "amd64"},
                  {"KernelVersion", kernel},
                  {"BuildTime", ""}});
}

Task<> answer_info(Engine& engine, Exchange& exchange, std::string) {
    const auto images = co_await with_images(engine.workers, [&] { return engine.images.list(); });
    std::uint64_t cpus = 0;
    std::uint64_t pages = 0;
    Json warnings = Json::array();
    try {
        const auto info = co_await engine.runtime.node_info();
        cpus = info.number(abi::runtime::Tag::cpu_count);
        pages = info.number(abi::runtime::Tag::total_pages);
        auto records = info.records();
        for (abi::TlvRecord record; records.next(record);)
            if (record.tag == static_cast<std::uint16_t>(abi::runtime::Tag::warning)) warnings.push_back(std::string(record.text()));
    } catch (const services::ChannelError& error) {
        warnings.push_back(std::string("the runtime is not reachable: ") + error.what());
    }
    int running = 0;
    int stopped = 0;
    const auto containers = engine.containers.list();
    for (const auto& container : containers) ++(container->running() ? running : stopped);
    co_await exchange.reply(
        200,
        Json{{"ID", engine.node_id},
             {"Containers", containers.size()},
             {"ContainersRunning", running},
             {"ContainersPaused", 0},
             {"ContainersStopped", stopped},
             {"Images", images.size()},
             {"Driver", "erofs"},
             {"DriverStatus", Json::array()},
             {"Plugins",
              {{"Volume", Json::array()},
               {"Network", {"bridge", "none"}},
               {"Authorization", nullptr},
               {"Log", {"json-file"}}}},
             {"MemoryLimit", true},
             {"SwapLimit", true},
             {"CpuCfsPeriod", true},
             {"CpuCfsQuota", true},
             {"CPUShares", true},
             {"CPUSet", true},
             {"PidsLimit", true},
             {"IPv4Forwarding", true},
             {"BridgeNfIptables", true},
             {"BridgeNfIp6tables", true},
             {"Debug", false},
             {"OomKillDisable", false},
             {"NGoroutines", 1},
             {"SystemTime", services::format_time(services::realtime_nanoseconds())},
             {"LoggingDriver", "json-file"},
             {"CgroupDriver", "none"},
             {"CgroupVersion", "2"},
             {"NEventsListener", 0},
             {"KernelVersion", kernel_release()},
             {"OperatingSystem", "ThemeliOS " THEMELIOS_VERSION},
             {"OSVersion", THEMELIOS_VERSION},
             {"OSType", "linux"},
             {"Architecture", "x86_64"},
             {"IndexServerAddress", ""},
             {"RegistryConfig",
              {{"InsecureRegistryCIDRs", Json::array()}, {"IndexConfigs", Json::object()}, {"Mirrors", Json::array()}}},
             {"NCPU", cpus},
             {"MemTotal", pages * abi::page_size},
             {"GenericResources", nullptr},
             {"DockerRootDir", "/"},
             {"HttpProxy", ""},
             {"HttpsProxy", ""},
             {"NoProxy", ""},
             {"Name", "themelios"},
             {"Labels", Json::array()},
             {"ExperimentalBuild", false},
             {"ServerVersion", THEMELIOS_VERSION},
             {"Runtimes", {{"themelios", {{"path", "runtime"}}}}},
             {"DefaultRuntime", "themelios"},
             {"Swarm",
              {{"NodeID", ""},
               {"NodeAddr", ""},
               {"LocalNodeState", "inactive"},
               {"ControlAvailable", false},
               {"Error", ""},
               {"RemoteManagers", nullptr}}},
             {"LiveRestoreEnabled", false},
             {"Isolation", ""},
             {"InitBinary", ""},
             {"ContainerdCommit", {{"ID", ""}}},
             {"RuncCommit", {{"ID", ""}}},
             {"InitCommit", {{"ID", ""}}},
             {"SecurityOptions", Json::array()},
             {"Warnings", warnings}});
}

Task<> answer_events(Engine& engine, Exchange& exchange, std::string) {
    const Target& target = exchange.target();
    const auto since = parse_moment(target.parameter("since"));
    const auto until = parse_moment(target.parameter("until"));
    const Filters filters = Filters::parse(target.parameter("filters"),
                                           {"type", "event", "container", "image", "label", "scope", "network",
                                            "volume", "daemon", "plugin", "service", "node", "secret", "config"});
    std::uint64_t seen = since ? 0 : engine.events.last();
    co_await exchange.begin_stream(200, "application/json");
    exchange.watch([&engine] { engine.events.arrived().notify(); });
    // `until` in the future ends the stream then.
    const auto now = services::realtime_nanoseconds();
    const auto end = until ? Clock::now() + std::chrono::nanoseconds(std::max<std::int64_t>(*until - now, 0))
                           : Clock::time_point::max();
    for (;;) {
        std::string lines;
        while (const EventMessage* message = engine.events.after(seen)) {
            seen = message->sequence;
            if ((!since || message->time >= *since) && (!until || message->time <= *until) &&
                event_wanted(*message, filters))
                lines += event_json(*message).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
        }
        co_await exchange.write_piece(lines);
        if (exchange.client_gone() || Clock::now() >= end) break;
        if (engine.events.after(seen) == nullptr) {
            if (until)
                co_await engine.events.arrived().wait_until(
                    end, [&] { return engine.events.after(seen) != nullptr || exchange.client_gone(); });
            else
                co_await engine.events.arrived().wait();
        }
    }
    co_await exchange.unwatch();
    co_await exchange.end_stream();
}

Task<> answer_disk_usage(Engine& engine, Exchange& exchange, std::string) {
    const auto images = co_await with_images(engine.workers, [&] { return engine.images.list(); });
    Json image_list = Json::array();
    std::uint64_t total = 0;
    const auto containers = engine.containers.list();
    for (const images::Image& image : images) {
        total += image.size;
        const auto users = std::count_if(containers.begin(), containers.end(),
                                         [&](const auto& each) { return each->image.id == image.id; });
        image_list.push_back({{"Id", image.id},
                              {"ParentId", ""},
                              {"RepoTags", image.names},
                              {"RepoDigests", Json::array()},
                              {"Created", time_field(image.configuration, "created")},
                              {"Size", image.size},
                              {"SharedSize", 0},
                              {"VirtualSize", image.size},
                              {"Labels", nullptr},
                              {"Containers", users}});
    }
    Json container_list = Json::array();
    for (const auto& container : containers) {
        Json summary = container_summary(*container);
        summary["SizeRw"] = 0;
        summary["SizeRootFs"] = container->image.size;
        container_list.push_back(std::move(summary));
    }
    co_await exchange.reply(200, Json{{"LayersSize", total},
                                      {"Images", image_list},
                                      {"Containers", container_list},
                                      {"Volumes", Json::array()},
                                      {"BuildCache", Json::array()},
                                      {"BuilderSize", 0}});
}

} // namespace engine
