// Which handler answers which path.
#include <algorithm>
#include <array>

#include "services/engine/engine.hpp"

namespace engine {

namespace {

struct Route {
    std::string_view method;
    std::string_view first;     // first segment
    std::string_view last;      // last segment; "" where the path ends with the open part
    bool open;                  // there is an open part: one segment, of images any number
    Answer answer;              // null: a part of Docker's API that this node does not have
    std::string_view what = {}; // of such, what it is
};

constexpr std::array routes = {
    Route{"GET", "_ping", "", false, answer_ping},
    Route{"HEAD", "_ping", "", false, answer_ping},
    Route{"GET", "version", "", false, answer_version},
    Route{"GET", "info", "", false, answer_info},
    Route{"GET", "events", "", false, answer_events},
    Route{"GET", "system", "df", false, answer_disk_usage},
    Route{"GET", "themelios", "node", false, answer_node},
    Route{"GET", "themelios", "log", false, answer_node_log},
    Route{"GET", "themelios", "audit", false, answer_audit},

    Route{"POST", "containers", "create", false, answer_container_create},
    Route{"GET", "containers", "json", false, answer_container_list},
    Route{"POST", "containers", "prune", false, answer_container_prune},
    Route{"GET", "containers", "json", true, answer_container_inspect},
    Route{"POST", "containers", "start", true, answer_container_start},
    Route{"POST", "containers", "stop", true, answer_container_stop},
    Route{"POST", "containers", "restart", true, answer_container_restart},
    Route{"POST", "containers", "kill", true, answer_container_kill},
    Route{"POST", "containers", "rename", true, answer_container_rename},
    Route{"POST", "containers", "resize", true, answer_container_resize},
    Route{"POST", "containers", "update", true, answer_container_update},
    Route{"POST", "containers", "wait", true, answer_container_wait},
    Route{"POST", "containers", "attach", true, answer_container_attach},
    Route{"GET", "containers", "logs", true, answer_container_logs},
    Route{"DELETE", "containers", "", true, answer_container_remove},
    Route{"POST", "containers", "exec", true, nullptr, "running a further program in a container (exec)"},
    Route{"POST", "containers", "pause", true, nullptr, "pausing a container"},
    Route{"POST", "containers", "unpause", true, nullptr, "pausing a container"},
    Route{"GET", "containers", "top", true, nullptr, "listing a container's processes"},
    Route{"GET", "containers", "stats", true, answer_container_stats},
    Route{"GET", "containers", "changes", true, nullptr, "listing a container's changed files"},
    Route{"GET", "containers", "export", true, nullptr, "exporting a container's files"},
    Route{"GET", "containers", "archive", true, nullptr, "copying files out of a container"},
    Route{"HEAD", "containers", "archive", true, nullptr, "copying files out of a container"},
    Route{"PUT", "containers", "archive", true, nullptr, "copying files into a container"},
    Route{"GET", "containers", "ws", true, nullptr, "attaching by WebSocket"},

    Route{"GET", "images", "json", false, answer_image_list},
    Route{"POST", "images", "load", false, answer_image_load},
    Route{"POST", "images", "prune", false, answer_image_prune},
    Route{"POST", "images", "create", false, nullptr, "pulling or importing an image (docker load takes archives, which tools/image-from-debian and docker save make)"},
    Route{"GET", "images", "search", false, nullptr, "searching a registry"},
    Route{"GET", "images", "get", false, nullptr, "saving an image"},
    Route{"GET", "images", "get", true, nullptr, "saving an image"},
    Route{"GET", "images", "json", true, answer_image_inspect},
    Route{"GET", "images", "history", true, answer_image_history},
    Route{"POST", "images", "tag", true, answer_image_tag},
    Route{"POST", "images", "push", true, nullptr, "pushing an image"},
    Route{"DELETE", "images", "", true, answer_image_remove},

    Route{"GET", "networks", "", false, answer_network_list},
    Route{"POST", "networks", "prune", false, answer_network_prune},
    Route{"POST", "networks", "create", false, nullptr, "creating a network"},
    Route{"GET", "networks", "", true, answer_network_inspect},
    Route{"POST", "networks", "connect", true, answer_network_connect},
    Route{"POST", "networks", "disconnect", true, answer_network_connect},
    Route{"DELETE", "networks", "", true, answer_network_remove},
    Route{"GET", "volumes", "", false, answer_volume_list},
    Route{"POST", "volumes", "prune", false, answer_volume_prune},
    Route{"POST", "volumes", "create", false, nullptr, "creating a volume"},
    Route{"GET", "volumes", "", true, answer_volume_inspect},
    Route{"DELETE", "volumes", "", true, answer_volume_remove},
    Route{"POST", "build", "prune", false, answer_build_prune},
};

// Docker's other parts, whatever the method and the rest of the path.
struct Absent {
    std::string_view first;
    std::string_view what;
};
constexpr std::array absent = {
    Absent{"exec", "running a further program in a container (exec)"},
    Absent{"build", "building images"},
    Absent{"session", "building images"},
    Absent{"grpc", "building images"},
    Absent{"commit", "making an image of a container"},
    Absent{"auth", "logging in to a registry"},
    Absent{"distribution", "asking a registry"},
    Absent{"plugins", "plugins"},
    Absent{"swarm", "swarm mode"},
    Absent{"nodes", "swarm mode"},
    Absent{"services", "swarm mode"},
    Absent{"tasks", "swarm mode"},
    Absent{"secrets", "swarm mode"},
    Absent{"configs", "swarm mode"},
};

// The open part of `path` where the route fits; nothing where it does not.
std::optional<std::string> match(const Route& route, const std::vector<std::string>& path) {
    const std::size_t fixed = 1 + (route.last.empty() ? 0 : 1);
    if (path.size() < fixed + (route.open ? 1 : 0) || path.front() != route.first ||
        (!route.last.empty() && path.back() != route.last))
        return std::nullopt;
    const std::size_t open = path.size() - fixed;
    if (!route.open) return open == 0 ? std::optional(std::string()) : std::nullopt;
    if (open != 1 && route.first != "images") return std::nullopt;
    std::string joined;
    for (std::size_t at = 1; at <= open; ++at) joined += (at > 1 ? "/" : "") + path[at];
    return joined;
}

} // namespace

Task<> handle_request(Engine& engine, Exchange& exchange) {
    const auto& path = exchange.target().segments;
    bool other_method = false;
    for (const Route& route : routes) {
        auto open = match(route, path);
        if (!open) continue;
        if (route.method != exchange.method()) {
            other_method = true;
            continue;
        }
        if (route.answer == nullptr) throw not_supported(std::string(route.what));
        co_await route.answer(engine, exchange, std::move(*open));
        co_return;
    }
    for (const Absent& each : absent)
        if (!path.empty() && path.front() == each.first) throw not_supported(std::string(each.what));
    if (other_method) throw ApiError(405, "method " + std::string(exchange.method()) + " is not allowed for this path");
    throw ApiError(404, "page not found");
}

} // namespace engine
