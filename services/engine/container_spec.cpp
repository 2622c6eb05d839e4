#include "services/engine/container_spec.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <span>
#include <string_view>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"
#include "services/engine/platform.hpp"
#include "services/engine/request_fields.hpp"

namespace engine {

namespace {

// Docker's own limits; times in microseconds.
constexpr std::uint64_t least_memory = 6 << 20;
constexpr std::uint64_t least_period = 1000, longest_period = 1'000'000, least_quota = 1000;
constexpr std::uint64_t least_nano_cpus = 10'000'000, nano_cpus_per_cpu = 1'000'000'000;
constexpr std::uint64_t most_quota = 1'000'000'000'000;

ApiError refused(const std::string& what) { return bad_request(what + " is not supported by this node"); }

void check_one_of(const Json& host, const char* name, std::initializer_list<std::string_view> allowed) {
    const std::string value = text_field(host, name);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
        throw refused(std::string("HostConfig.") + name + " \"" + value + "\"");
}

RestartPolicy parse_restart_policy(const Json& host, bool auto_remove) {
    const Json& policy = object_field(host, "RestartPolicy");
    const std::string name = text_field(policy, "Name");
    const long long most = number_field(policy, "MaximumRetryCount");
    RestartPolicy result;
    if (name == "always")
        result.kind = RestartPolicy::Kind::always;
    else if (name == "unless-stopped")
        result.kind = RestartPolicy::Kind::unless_stopped;
    else if (name == "on-failure")
        result.kind = RestartPolicy::Kind::on_failure;
    else if (!name.empty() && name != "no")
        throw bad_request("invalid restart policy: unknown policy '" + name +
                          "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
    if (most != 0 && result.kind != RestartPolicy::Kind::on_failure)
        throw bad_request("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    if (auto_remove && result.kind != RestartPolicy::Kind::no)
        throw bad_request("can't create 'AutoRemove' container with restart policy");
    result.most_retries = static_cast<std::uint64_t>(most);
    return result;
}

std::vector<PortBinding> parse_bindings(const Json& host) {
    std::vector<PortBinding> result;
    for (const auto& [name, bindings] : object_field(host, "PortBindings").items()) {
        const ContainerPort port = parse_port(name);
        if (bindings.is_null()) continue;
        if (port.protocol == protocol_sctp) throw refused("publishing the port " + name);
        if (!bindings.is_array()) throw bad_request("invalid JSON: PortBindings of " + name + " is not a list");
        for (const Json& each : bindings) {
            if (!each.is_object())
                throw bad_request("invalid JSON: PortBindings of " + name + " is not a list of objects");
            PortBinding binding{port, 0, text_field(each, "HostIp")};
            const std::string text = text_field(each, "HostPort");
            if (!text.empty()) {
                const auto number = services::parse_number(text);
                if (!number || *number > 65535) throw bad_request("invalid port specification: \"" + text + "\"");
                binding.node_port = static_cast<std::uint16_t>(*number);
            }
            if (!binding.node_address.empty() && binding.node_address != "0.0.0.0" && binding.node_address != "::")
                throw refused("publishing a port on the address " + binding.node_address);
            result.push_back(std::move(binding));
        }
    }
    return result;
}

void warn(ContainerSpec& spec, const std::string& what) { spec.warnings.push_back(what + " has no effect on this node"); }

std::size_t parse_log_limit(const Json& host, std::size_t fallback, ContainerSpec& spec) {
    const Json& settings = object_field(host, "LogConfig");
    const std::string type = text_field(settings, "Type");
    const auto options = map_field(settings, "Config");
    if (type == "none") return 0;
    if (!type.empty() && type != "json-file" && type != "local") throw refused("the logging driver \"" + type + "\"");
    static const std::set<std::string_view> without_effect = {"max-file", "mode", "compress", "max-buffer-size", "labels", "labels-regex", "env", "env-regex", "tag"};
    for (const auto& [name, value] : options) {
        if (without_effect.contains(name))
            warn(spec, "the log option " + name);
        else if (name != "max-size")
            throw bad_request("unknown log opt '" + name + "' for json-file log driver");
    }
    const auto size = options.find("max-size");
    if (size == options.end() || size->second == "-1") return fallback;
    std::string_view text = size->second;
    std::size_t unit = 1;
    if (!text.empty() && std::isalpha(static_cast<unsigned char>(text.back()))) {
        const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(text.back())));
        unit = letter == 'k' ? 1 << 10 : letter == 'm' ? 1 << 20 : letter == 'g' ? 1 << 30 : letter == 'b' ? 1 : 0;
        text.remove_suffix(1);
    }
    const auto number = services::parse_number(text);
    if (!number || unit == 0) throw bad_request("invalid value for max-size: " + size->second);
    // Logs lie in memory: the setting can only make them smaller.
    return *number > fallback / unit ? fallback : std::max<std::size_t>(*number * unit, 1);
}

// "0-2,4" as a mask of what a node may have; `beyond` where there is more. Throws ApiError 400.
std::uint64_t parse_set(const std::string& text, const std::string& what, bool& beyond) {
    constexpr std::uint64_t most = 64;
    const auto invalid = [&] { return bad_request("Invalid value " + text + " for cpuset " + what); };
    std::uint64_t mask = 0;
    std::string_view rest = text;
    for (bool more = !text.empty(); more;) {
        const std::string_view part = rest.substr(0, rest.find(','));
        more = part.size() < rest.size();
        rest.remove_prefix(part.size() + (more ? 1 : 0));
        const std::size_t dash = part.find('-');
        const auto first = services::parse_number(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : services::parse_number(part.substr(dash + 1));
        if (!first || !last || *first > *last) throw invalid();
        beyond |= *last >= most;
        if (beyond) continue;
        mask |= (~std::uint64_t{0} >> (63 - (*last - *first))) << *first;
    }
    return mask;
}

ProcessorLimits parse_processor_limits(const Json& resources) {
    ProcessorLimits limits;
    limits.nano_cpus = static_cast<std::uint64_t>(number_field(resources, "NanoCpus"));
    const long long quota = number_field(resources, "CpuQuota", -1);
    limits.cfs_quota = static_cast<std::uint64_t>(std::max(quota, 0LL));
    limits.cfs_period = static_cast<std::uint64_t>(number_field(resources, "CpuPeriod"));
    limits.shares = static_cast<std::uint64_t>(number_field(resources, "CpuShares"));
    if (limits.nano_cpus != 0 && limits.cfs_period != 0)
        throw bad_request("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (limits.nano_cpus != 0 && limits.cfs_quota != 0)
        throw bad_request("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (limits.cfs_period != 0 && (limits.cfs_period < least_period || limits.cfs_period > longest_period))
        throw bad_request("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (limits.cfs_quota != 0 && limits.cfs_quota < least_quota)
        throw bad_request("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (limits.cfs_quota > most_quota) throw bad_request("invalid value: CpuQuota is " + std::to_string(quota));
    limits.cpuset = text_field(resources, "CpusetCpus");
    limits.processors = parse_set(limits.cpuset, "cpus", limits.beyond);
    const std::string memory_nodes = text_field(resources, "CpusetMems");
    bool more_nodes = false;
    if (parse_set(memory_nodes, "mems", more_nodes) > 1 || more_nodes)
        throw bad_request("Requested memory nodes are not available - requested " + memory_nodes + ", available: 0");
    return limits;
}

void parse_resources(const Json& host, ContainerSpec& spec) {
    spec.memory_bytes = static_cast<std::uint64_t>(number_field(host, "Memory"));
    if (spec.memory_bytes != 0 && spec.memory_bytes < least_memory)
        throw bad_request("Minimum memory limit allowed is 6MB");
    const long long swap = number_field(host, "MemorySwap", -1);
    if (swap > 0 && spec.memory_bytes == 0)
        throw bad_request("You should always set the Memory limit when using Memoryswap limit, see usage");
    if (swap > 0 && static_cast<std::uint64_t>(swap) < spec.memory_bytes)
        throw bad_request("Minimum memoryswap limit should be larger than memory limit, see usage");
    spec.processor = parse_processor_limits(host);
    for (const char* name : {"MemoryReservation", "OomScoreAdj", "ShmSize"}) number_field(host, name, -1000);
    // 0 and less ask for no limit; the node's own stays.
    spec.task_limit = static_cast<std::uint64_t>(std::max<std::int64_t>(number_field(host, "PidsLimit", -1), 0));
    if (const long long wanted = number_field(host, "MemorySwappiness", -1); wanted > 100)
        throw bad_request("Invalid value: " + std::to_string(wanted) + ", valid memory swappiness range is 0-100");
    else if (wanted > 0)
        warn(spec, "HostConfig.MemorySwappiness");
    // Equal to the memory it asks for none.
    if (swap > 0 && static_cast<std::uint64_t>(swap) > spec.memory_bytes) warn(spec, "HostConfig.MemorySwap");
    if (switch_field(host, "OomKillDisable")) throw refused("HostConfig.OomKillDisable");
}

void check_runtime(const Json& object) { check_one_of(object, "Runtime", {"", "runc", "io.containerd.runc.v2", "themelios"}); }

void parse_host_config(const Json& host, ContainerSpec& spec) {
    parse_resources(host, spec);
    spec.auto_remove = switch_field(host, "AutoRemove");
    spec.publish_all = switch_field(host, "PublishAllPorts");
    check_one_of(host, "IpcMode", {"", "private"});
    check_one_of(host, "CgroupnsMode", {"", "private", "host"});
    check_runtime(host);
    check_one_of(host, "Isolation", {"", "default", "split", "fused"});
    spec.fused = text_field(host, "Isolation") == "fused";
    if (text_field(host, "CgroupnsMode") == "host") warn(spec, "HostConfig.CgroupnsMode");
    // Absent or null they are the usual ones; an empty list asks for none.
    for (const char* name : {"MaskedPaths", "ReadonlyPaths"})
        if (const auto given = host.find(name); given != host.end() && !given->is_null()) {
            list_field(host, name);
            warn(spec, std::string("HostConfig.") + name);
        }
    const std::string mode = text_field(host, "NetworkMode");
    if (mode == "none")
        spec.network = false;
    else if (mode == "host" || mode.starts_with("container:"))
        throw refused("the network mode \"" + mode + "\"");
    else if (!mode.empty() && mode != "default" && mode != "bridge")
        throw bad_request("network " + mode + " not found"); // not 404: clients would take it for a missing image
    spec.publish = parse_bindings(host);
    if (!spec.network && (!spec.publish.empty() || spec.publish_all))
        throw bad_request("conflicting options: port publishing and the container type network mode");
    spec.restart = parse_restart_policy(host, spec.auto_remove);
    spec.log_limit = parse_log_limit(host, spec.log_limit, spec);
    text_field(host, "ContainerIDFile"); // it is on the client's machine
    if (const auto size = host.find("ConsoleSize"); size != host.end() && !size->is_null() && *size != Json::array()) {
        if (!size->is_array() || size->size() != 2 || !(*size)[0].is_number_unsigned() || !(*size)[1].is_number_unsigned())
            throw bad_request("invalid JSON: ConsoleSize is not two whole numbers");
        const auto dimension = [&](std::size_t index) { return static_cast<std::uint16_t>(std::min<std::uint64_t>((*size)[index].get<std::uint64_t>(), 65535)); };
        spec.rows = dimension(0);
        spec.columns = dimension(1);
    }
}

// In a fused sandbox a program can be whatever its personality is: who is not root there is so by its own leave.
void check_isolation(const ContainerSpec& spec) {
    const std::string user = spec.user.substr(0, spec.user.find(':'));
    if (spec.fused && !user.empty() && user != "root" && services::parse_number(user) != 0u)
        throw bad_request("the isolation \"fused\" does not hold the user " + spec.user + " to what it may do: run it as root, or leave the isolation as it is");
}

void check_hostname(const std::string& name) {
    const bool fits = name.size() <= 63 && std::ranges::all_of(name, [](unsigned char c) {
                          return std::isalnum(c) || c == '-' || c == '.' || c == '_';
                      });
    if (!fits) throw bad_request("invalid hostname format: " + name);
}

void check_environment(const std::vector<std::string>& environment) {
    for (const std::string& variable : environment)
        if (variable.empty() || variable.starts_with('='))
            throw bad_request("invalid environment variable: " + variable);
}

std::string variable_name(const std::string& variable) { return variable.substr(0, variable.find('=')); }

} // namespace

ContainerPort parse_port(const std::string& text) {
    const auto slash = text.find('/');
    const auto number = services::parse_number(std::string_view(text).substr(0, slash));
    const std::string protocol = slash == std::string::npos ? "tcp" : services::lower(text.substr(slash + 1));
    if (!number || *number == 0 || *number > 65535) throw bad_request("invalid port specification: \"" + text + "\"");
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
        throw bad_request("invalid port specification: \"" + text + "\": the protocol is neither tcp nor udp nor sctp");
    return {static_cast<std::uint16_t>(*number), protocol == "udp" ? protocol_udp : protocol == "sctp" ? protocol_sctp : protocol_tcp};
}

// "+3" behind the sign `sign`, "" is 0; what is none is more than there are signals.
static int offset_of(std::string_view text, char sign) {
    constexpr int too_much = 100;
    if (text.empty()) return 0;
    if (text.front() != sign) return too_much;
    const auto number = services::parse_number(text.substr(1));
    return number && *number < too_much ? static_cast<int>(*number) : too_much;
}

int parse_signal(const std::string& text) {
    static constexpr std::array<std::string_view, 31> names = {
        "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1", "SEGV",
        "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN", "TTOU",
        "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
    if (const auto number = services::parse_number(text); number && *number >= 1 && *number <= 64)
        return static_cast<int>(*number);
    std::string upper;
    for (const char character : text) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(character)));
    std::string_view name = upper;
    services::consume(name, "SIG");
    if (name == "IOT") name = "ABRT";
    if (name == "CLD") name = "CHLD";
    if (name == "POLL") name = "IO";
    // Those that are for programs to use: 34 is the first one that the C library leaves, 64 the last one.
    constexpr int first_real_time = 34, last_real_time = 64;
    if (services::consume(name, "RTMIN")) {
        if (const int signal = first_real_time + offset_of(name, '+'); signal <= last_real_time) return signal;
        throw bad_request("invalid signal: " + text);
    }
    if (services::consume(name, "RTMAX")) {
        if (const int signal = last_real_time - offset_of(name, '-'); signal >= first_real_time) return signal;
        throw bad_request("invalid signal: " + text);
    }
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw bad_request("invalid signal: " + text);
    return static_cast<int>(found - names.begin()) + 1;
}

// The one network that it is on. Clients name it once more among the endpoints.
static void check_endpoints(const Json& networking, const std::string& mode) {
    const auto name_of = [](const std::string& name) { return name.empty() || name == "default" ? std::string("bridge") : name; };
    const auto& endpoints = object_field(networking, "EndpointsConfig");
    for (const auto& [name, endpoint] : endpoints.items()) {
        if (name != "default" && name != "bridge" && name != "none") throw bad_request("network " + name + " not found");
        if (name_of(name) != name_of(mode) || endpoints.size() > 1)
            throw bad_request("conflicting options: a container is on one network, " + name_of(mode) + ", and not on " + name + " too");
    }
}

ContainerSpec parse_container_spec(Json body) {
    ContainerSpec spec;
    spec.warnings = check_fields(body, create_fields(), refused);
    text_field(body, "name"); // the query's is the one that counts
    check_platform(text_field(body, "platform"));
    check_runtime(body);
    spec.image = text_field(body, "Image");
    if (spec.image.empty()) throw bad_request("config cannot be empty in order to create a container: no image");
    spec.hostname = text_field(body, "Hostname");
    check_hostname(spec.hostname);
    spec.domain_name = text_field(body, "Domainname");
    check_hostname(spec.domain_name);
    spec.user = text_field(body, "User");
    spec.directory = text_field(body, "WorkingDir");
    if (!spec.directory.empty() && !spec.directory.starts_with('/'))
        throw bad_request("the working directory '" + spec.directory + "' is invalid, it needs to be an absolute path");
    spec.entrypoint = list_field(body, "Entrypoint");
    spec.entrypoint_given = !spec.entrypoint.empty();
    // [""] is how clients clear the image's entry point.
    if (spec.entrypoint.size() == 1 && spec.entrypoint[0].empty()) spec.entrypoint.clear();
    spec.command = list_field(body, "Cmd");
    spec.environment = list_field(body, "Env");
    check_environment(spec.environment);
    spec.labels = map_field(body, "Labels");
    for (const auto& [name, value] : object_field(body, "ExposedPorts").items())
        spec.exposed.push_back(parse_port(name));
    spec.attach_stdin = switch_field(body, "AttachStdin");
    spec.attach_stdout = switch_field(body, "AttachStdout");
    spec.attach_stderr = switch_field(body, "AttachStderr");
    spec.terminal = switch_field(body, "Tty");
    spec.open_stdin = switch_field(body, "OpenStdin");
    spec.stdin_once = switch_field(body, "StdinOnce");
    spec.stop_signal = text_field(body, "StopSignal");
    if (!spec.stop_signal.empty()) parse_signal(spec.stop_signal);
    if (body.contains("StopTimeout") && !body["StopTimeout"].is_null())
        spec.stop_timeout = static_cast<int>(std::min<long long>(number_field(body, "StopTimeout", -1), 1 << 20));
    const auto check = list_field(object_field(body, "Healthcheck"), "Test");
    if (!check.empty() && check[0] != "NONE") throw refused("Healthcheck");
    if (switch_field(body, "NetworkDisabled")) spec.network = false;
    spec.host_config = object_field(body, "HostConfig");
    parse_host_config(spec.host_config, spec);
    check_endpoints(object_field(body, "NetworkingConfig"), text_field(spec.host_config, "NetworkMode"));
    check_isolation(spec);
    return spec;
}

void apply_image(ContainerSpec& spec, const Json& image_configuration) {
    const Json& config = object_field(image_configuration, "config");
    if (!spec.entrypoint_given) {
        spec.entrypoint = list_field(config, "Entrypoint");
        if (spec.command.empty()) spec.command = list_field(config, "Cmd");
    }
    if (spec.user.empty()) spec.user = text_field(config, "User");
    check_isolation(spec);
    if (spec.directory.empty()) spec.directory = text_field(config, "WorkingDir");
    if (spec.stop_signal.empty()) spec.stop_signal = text_field(config, "StopSignal");
    if (!spec.stop_signal.empty()) parse_signal(spec.stop_signal);
    std::set<std::string> given;
    for (const std::string& variable : spec.environment) given.insert(variable_name(variable));
    for (const std::string& variable : list_field(config, "Env"))
        if (given.insert(variable_name(variable)).second) spec.environment.push_back(variable);
    if (given.insert("PATH").second)
        spec.environment.insert(spec.environment.begin(),
                                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for (const auto& [name, value] : map_field(config, "Labels")) spec.labels.try_emplace(name, value);
    for (const auto& [name, value] : object_field(config, "ExposedPorts").items())
        spec.exposed.push_back(parse_port(name));
    for (const PortBinding& binding : spec.publish) spec.exposed.push_back(binding.container);
    std::ranges::sort(spec.exposed);
    spec.exposed.erase(std::ranges::unique(spec.exposed).begin(), spec.exposed.end());
    for (const ContainerPort& port : spec.publish_all ? std::span<const ContainerPort>(spec.exposed) : std::span<const ContainerPort>()) {
        if (port.protocol == protocol_sctp)
            spec.warnings.push_back("port " + std::to_string(port.number) + "/sctp is not published by this node");
        else if (std::ranges::none_of(spec.publish, [&](const PortBinding& binding) { return binding.container == port; }))
            spec.publish.push_back({port, 0, ""});
    }
    if (!object_field(config, "Volumes").empty())
        spec.warnings.push_back("the image's volumes lie in the container and are removed with it");
    if (config.contains("Healthcheck")) spec.warnings.push_back("the image's health check is not run by this node");
    if (spec.entrypoint.empty() && spec.command.empty()) throw bad_request("no command specified");
}

void check_processors(const ProcessorLimits& limits, std::uint64_t cpus) {
    if (limits.beyond || (cpus < 64 && limits.processors >> cpus != 0))
        throw bad_request("Requested CPUs are not available - requested " + limits.cpuset + ", available: " + (cpus == 1 ? "0" : "0-" + std::to_string(cpus - 1)));
    if (limits.nano_cpus == 0) return;
    const std::string count = std::to_string(cpus);
    if (limits.nano_cpus < least_nano_cpus || limits.nano_cpus > cpus * nano_cpus_per_cpu)
        throw bad_request("range of CPUs is from 0.01 to " + count + ".00, as there are only " + count + " CPUs available");
}

ProcessorLimits updated_limits(const ProcessorLimits& limits, Json body, std::vector<std::string>& warnings) {
    warnings = check_fields(body, update_fields(), [](const std::string& path) { return not_supported("changing " + path + " of a container"); });
    const ProcessorLimits given = parse_processor_limits(body);
    const auto conflict = [](const std::string& what) { return ApiError(409, "Conflicting options: " + what + " has already been set"); };
    if (given.nano_cpus != 0 && limits.cfs_period != 0) throw conflict("Nano CPUs cannot be updated as CPU Period");
    if (given.nano_cpus != 0 && limits.cfs_quota != 0) throw conflict("Nano CPUs cannot be updated as CPU Quota");
    if (given.cfs_quota != 0 && limits.nano_cpus != 0) throw conflict("CPU Quota cannot be updated as NanoCPUs");
    if (given.cfs_period != 0 && limits.nano_cpus != 0) throw conflict("CPU Period cannot be updated as NanoCPUs");
    ProcessorLimits result = limits;
    if (given.nano_cpus != 0) result.nano_cpus = given.nano_cpus;
    // 0 asks for nothing, less for no limit.
    if (number_field(body, "CpuQuota", -1) != 0) result.cfs_quota = given.cfs_quota;
    if (given.cfs_period != 0) result.cfs_period = given.cfs_period;
    if (given.shares != 0) result.shares = given.shares;
    if (!given.cpuset.empty()) {
        result.cpuset = given.cpuset;
        result.processors = given.processors;
        result.beyond = given.beyond;
    }
    return result;
}

std::vector<std::string> ContainerSpec::arguments() const {
    std::vector<std::string> result = entrypoint;
    result.insert(result.end(), command.begin(), command.end());
    return result;
}

} // namespace engine
