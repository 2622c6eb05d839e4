// What a container is to be: the body of POST /containers/create, checked, and completed from its image.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/engine/json_fields.hpp"

namespace engine {

inline constexpr std::uint32_t protocol_tcp = 6;
inline constexpr std::uint32_t protocol_udp = 17;
inline constexpr std::uint32_t protocol_sctp = 132; // exposed alone: never published

// "80/tcp"
struct ContainerPort {
    std::uint16_t number = 0;
    std::uint32_t protocol = protocol_tcp;
    auto operator<=>(const ContainerPort&) const = default;
    std::string_view protocol_name() const { return protocol == protocol_udp ? "udp" : protocol == protocol_sctp ? "sctp" : "tcp"; }
    std::string text() const { return std::to_string(number) + "/" + std::string(protocol_name()); }
};

struct PortBinding {
    ContainerPort container;
    std::uint16_t node_port = 0; // 0: the engine chooses
    std::string node_address;    // "" for all
};

struct RestartPolicy {
    enum class Kind { no, always, unless_stopped, on_failure };
    Kind kind = Kind::no;
    std::uint64_t most_retries = 0; // on_failure: 0 is without limit
};

// Processor time as a client asked for it; of `nano_cpus` and the other two of CFS only one is given.
struct ProcessorLimits {
    std::uint64_t nano_cpus = 0;
    std::uint64_t cfs_quota = 0;  // microseconds in each period; 0: no limit
    std::uint64_t cfs_period = 0; // 0: the usual 100 ms
    std::uint64_t shares = 0;     // 0: the usual 1,024
    std::string cpuset;           // as the client wrote it
    std::uint64_t processors = 0; // what that means, a mask; 0: all
    bool beyond = false;          // it names one that no node has

    // In microseconds, as the runtime takes them.
    std::uint64_t quota() const { return nano_cpus == 0 ? cfs_quota : nano_cpus / 10'000; }
    std::uint64_t period() const { return cfs_period == 0 ? 100'000 : cfs_period; }
};

struct ContainerSpec {
    std::string image; // as the client wrote it
    std::string hostname;
    std::string domain_name;
    std::string user;
    std::string directory;
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::vector<std::string> environment;
    std::map<std::string, std::string> labels;
    std::vector<ContainerPort> exposed;
    bool attach_stdin = false;
    bool attach_stdout = false;
    bool attach_stderr = false;
    bool terminal = false;
    bool open_stdin = false;
    bool stdin_once = false;
    std::string stop_signal;
    int stop_timeout = 10; // seconds
    bool entrypoint_given = false;

    std::uint64_t memory_bytes = 0;
    std::uint64_t task_limit = 0; // 0: the node's own
    ProcessorLimits processor;
    bool auto_remove = false;
    bool network = true;
    bool fused = false; // without protection of the personality from the container's own programs
    bool publish_all = false;
    std::vector<PortBinding> publish;
    RestartPolicy restart;
    std::size_t log_limit = 8 << 20;
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;

    Json host_config;                  // as the client sent it
    std::vector<std::string> warnings; // what is accepted without an effect

    // The program and its arguments.
    std::vector<std::string> arguments() const;
};

// Throws ApiError 400: wrong types, values out of range, and settings that this node does not have.
ContainerSpec parse_container_spec(Json body);
// Throws ApiError 400 where a node of `cpus` processors cannot give what is asked for.
void check_processors(const ProcessorLimits& limits, std::uint64_t cpus);
// What `limits` become by the body of POST /containers/ID/update, the rest of which is refused; `warnings`: of members that it asks nothing by. Throws ApiError 400, 409
// (it conflicts with what they are), 501 (a setting that cannot be changed here).
ProcessorLimits updated_limits(const ProcessorLimits& limits, Json body, std::vector<std::string>& warnings);
// Completes with an image's configuration (the member `config` of an OCI image configuration). Throws ApiError 400
// where no command results.
void apply_image(ContainerSpec& spec, const Json& image_configuration);
// "80", "80/tcp", "53/udp", "36412/sctp". Throws ApiError 400.
ContainerPort parse_port(const std::string& text);
// A signal's number of "SIGTERM", "term", "SIGRTMIN+3" or "15". Throws ApiError 400.
int parse_signal(const std::string& text);

} // namespace engine
