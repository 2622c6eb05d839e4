// A container as Docker's API shows it.
#include "services/common/text.hpp"
#include "services/engine/engine.hpp"

namespace engine {

namespace {

Json ports_list(const Container& container) {
    Json result = Json::array();
    for (const ContainerPort& port : container.spec.exposed) {
        const std::string type(port.protocol_name());
        bool bound = false;
        for (const PortBinding& binding : container.published) {
            if (binding.container != port || !container.running()) continue;
            bound = true;
            result.push_back(
                {{"IP", "0.0.0.0"}, {"PrivatePort", port.number}, {"PublicPort", binding.node_port}, {"Type", type}});
        }
        if (!bound && container.running()) result.push_back({{"PrivatePort", port.number}, {"Type", type}});
    }
    return result;
}

Json ports_map(const Container& container) {
    Json result = Json::object();
    if (!container.running()) return result;
    for (const ContainerPort& port : container.spec.exposed) result[port.text()] = nullptr;
    for (const PortBinding& binding : container.published)
        result[binding.container.text()].push_back(
            {{"HostIp", "0.0.0.0"}, {"HostPort", std::to_string(binding.node_port)}});
    return result;
}

Json endpoint(const Container& container) {
    const bool addressed = container.running() && container.spec.network && container.sandbox.address != 0;
    return {{"IPAMConfig", nullptr},
            {"Links", nullptr},
            {"Aliases", nullptr},
            {"MacAddress", ""},
            {"DriverOpts", nullptr},
            {"GwPriority", 0},
            {"NetworkID", container.spec.network ? bridge_network_id : none_network_id},
            {"EndpointID", container.running() ? container.id : ""},
            {"Gateway", addressed ? "172.17.0.1" : ""},
            {"IPAddress", addressed ? address_text(container.sandbox.address) : ""},
            {"IPPrefixLen", addressed ? 16 : 0},
            {"IPv6Gateway", ""},
            {"GlobalIPv6Address", ""},
            {"GlobalIPv6PrefixLen", 0},
            {"DNSNames", nullptr}};
}

Json networks(const Container& container) {
    return {{container.spec.network ? "bridge" : "none", endpoint(container)}};
}

std::string network_mode(const Container& container) { return container.spec.network ? "bridge" : "none"; }

Json null_if_empty(const std::vector<std::string>& list) { return list.empty() ? Json(nullptr) : Json(list); }

// Docker shows the restart policy and the like with their defaults where the client left them out.
Json host_config(const Container& container) {
    Json result = container.spec.host_config;
    for (const char* name : {"Binds", "VolumesFrom", "CapAdd", "CapDrop", "Links", "SecurityOpt", "ExtraHosts",
                             "GroupAdd", "Devices", "DeviceRequests", "Ulimits", "PidsLimit", "Mounts"})
        result.emplace(name, nullptr);
    for (const char* name :
         {"Memory", "MemorySwap", "ShmSize", "MemoryReservation"})
        result.emplace(name, 0);
    const ProcessorLimits& processor = container.spec.processor;
    result["NanoCpus"] = processor.nano_cpus;
    result["CpuQuota"] = processor.cfs_quota;
    result["CpuPeriod"] = processor.cfs_period;
    result["CpuShares"] = processor.shares;
    result["CpusetCpus"] = processor.cpuset;
    result.emplace("CpusetMems", "");
    for (const char* name : {"AutoRemove", "Privileged", "PublishAllPorts", "ReadonlyRootfs"})
        result.emplace(name, false);
    result.emplace("PortBindings", Json::object());
    result["NetworkMode"] = network_mode(container);
    result["Runtime"] = "themelios";
    if (text_field(object_field(result, "RestartPolicy"), "Name").empty())
        result["RestartPolicy"] = {{"Name", "no"}, {"MaximumRetryCount", 0}};
    if (text_field(object_field(result, "LogConfig"), "Type").empty())
        result["LogConfig"] = {{"Type", "json-file"}, {"Config", Json::object()}};
    return result;
}

Json config_json(const Container& container) {
    const ContainerSpec& spec = container.spec;
    Json exposed = Json::object();
    for (const ContainerPort& port : spec.exposed) exposed[port.text()] = Json::object();
    Json labels = Json::object();
    for (const auto& [name, value] : spec.labels) labels[name] = value;
    Json result{{"Hostname", container.hostname()},
                {"Domainname", spec.domain_name},
                {"User", spec.user},
                {"AttachStdin", spec.attach_stdin},
                {"AttachStdout", spec.attach_stdout},
                {"AttachStderr", spec.attach_stderr},
                {"Tty", spec.terminal},
                {"OpenStdin", spec.open_stdin},
                {"StdinOnce", spec.stdin_once},
                {"Env", spec.environment},
                {"Cmd", null_if_empty(spec.command)},
                {"Image", spec.image},
                {"Volumes", nullptr},
                {"WorkingDir", spec.directory},
                {"Entrypoint", null_if_empty(spec.entrypoint)},
                {"OnBuild", nullptr},
                {"Labels", labels}};
    if (!exposed.empty()) result["ExposedPorts"] = exposed;
    if (!spec.stop_signal.empty()) result["StopSignal"] = spec.stop_signal;
    if (spec.stop_timeout != 10) result["StopTimeout"] = spec.stop_timeout;
    return result;
}

} // namespace

std::string address_text(std::uint32_t address) {
    return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
           std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

std::string duration_words(std::int64_t nanoseconds) {
    const std::int64_t seconds = nanoseconds / 1'000'000'000;
    auto count = [](std::int64_t number, const char* unit) { return std::to_string(number) + " " + unit + "s"; };
    if (seconds < 1) return "Less than a second";
    if (seconds == 1) return "1 second";
    if (seconds < 60) return count(seconds, "second");
    const std::int64_t minutes = seconds / 60;
    if (minutes == 1) return "About a minute";
    if (minutes < 60) return count(minutes, "minute");
    const std::int64_t hours = (seconds + 1800) / 3600;
    if (hours == 1) return "About an hour";
    if (hours < 48) return count(hours, "hour");
    if (hours < 24 * 7 * 2) return count(hours / 24, "day");
    if (hours < 24 * 30 * 2) return count(hours / 24 / 7, "week");
    if (hours < 24 * 365 * 2) return count(hours / 24 / 30, "month");
    return count(hours / 24 / 365, "year");
}

std::string status_words(const Container& container, std::int64_t now) {
    switch (container.state) {
    case State::created: return "Created";
    case State::running: return "Up " + duration_words(now - container.started);
    case State::restarting:
        return "Restarting (" + std::to_string(container.exit_code) + ") " + duration_words(now - container.finished) +
               " ago";
    case State::exited:
        return "Exited (" + std::to_string(container.exit_code) + ") " + duration_words(now - container.finished) +
               " ago";
    case State::removing: return "Removal In Progress";
    }
    return "Dead";
}

Json container_summary(const Container& container) {
    std::string command;
    for (const std::string& argument : container.spec.arguments()) {
        command += command.empty() ? "" : " ";
        command += argument.find_first_of(" \t\n") == std::string::npos ? argument : "'" + argument + "'";
    }
    Json labels = Json::object();
    for (const auto& [name, value] : container.spec.labels) labels[name] = value;
    return {{"Id", container.id},
            {"Names", Json::array({"/" + container.name})},
            {"Image", container.spec.image},
            {"ImageID", container.image.id},
            {"Command", command},
            {"Created", container.created / 1'000'000'000},
            {"Ports", ports_list(container)},
            {"Labels", labels},
            {"State", state_name(container.state)},
            {"Status", status_words(container, services::realtime_nanoseconds())},
            {"HostConfig", {{"NetworkMode", network_mode(container)}}},
            {"NetworkSettings", {{"Networks", networks(container)}}},
            {"Mounts", Json::array()}};
}

Json container_details(const Container& container) {
    const auto arguments = container.spec.arguments();
    const Json place = endpoint(container);
    return {{"Id", container.id},
            {"Created", services::format_time(container.created)},
            {"Path", arguments.front()},
            {"Args", std::vector<std::string>(arguments.begin() + 1, arguments.end())},
            {"State",
             {{"Status", state_name(container.state)},
              {"Running", container.running()},
              {"Paused", false},
              {"Restarting", container.state == State::restarting},
              {"OOMKilled", container.no_memory},
              {"Dead", false},
              {"Pid", container.running() ? 1 : 0},
              {"ExitCode", container.exit_code},
              {"Error", container.error},
              {"StartedAt", services::format_time(container.started)},
              {"FinishedAt", services::format_time(container.running() ? 0 : container.finished)}}},
            {"Image", container.image.id},
            {"ResolvConfPath", ""},
            {"HostnamePath", ""},
            {"HostsPath", ""},
            {"LogPath", ""},
            {"Name", "/" + container.name},
            {"RestartCount", container.restarts},
            {"Driver", "erofs"},
            {"Platform", "linux"},
            {"MountLabel", ""},
            {"ProcessLabel", ""},
            {"AppArmorProfile", ""},
            {"ExecIDs", nullptr},
            {"HostConfig", host_config(container)},
            {"GraphDriver", {{"Name", "erofs"}, {"Data", nullptr}}},
            {"Mounts", Json::array()},
            {"Config", config_json(container)},
            {"NetworkSettings",
             {{"Bridge", ""},
              {"SandboxID", container.sandbox.number == 0 ? "" : std::to_string(container.sandbox.number)},
              {"SandboxKey", ""},
              {"Ports", ports_map(container)},
              {"HairpinMode", false},
              {"LinkLocalIPv6Address", ""},
              {"LinkLocalIPv6PrefixLen", 0},
              {"SecondaryIPAddresses", nullptr},
              {"SecondaryIPv6Addresses", nullptr},
              {"EndpointID", place["EndpointID"]},
              {"Gateway", place["Gateway"]},
              {"GlobalIPv6Address", ""},
              {"GlobalIPv6PrefixLen", 0},
              {"IPAddress", place["IPAddress"]},
              {"IPPrefixLen", place["IPPrefixLen"]},
              {"IPv6Gateway", ""},
              {"MacAddress", ""},
              {"Networks", networks(container)}}}};
}

} // namespace engine
