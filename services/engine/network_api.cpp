// /networks and /volumes: what there is, read only. The node has one bridge network and no volumes.
#include "services/common/text.hpp"
#include "services/engine/engine.hpp"
#include "services/engine/filters.hpp"

namespace engine {

namespace {

Json network_json(Engine& engine, bool bridge, bool with_containers) {
    Json containers = Json::object();
    if (with_containers)
        for (const auto& container : engine.containers.list())
            if (container->running() && container->spec.network == bridge)
                containers[container->id] = {{"Name", container->name},
                                             {"EndpointID", container->id},
                                             {"MacAddress", ""},
                                             {"IPv4Address", bridge && container->sandbox.address != 0
                                                                 ? address_text(container->sandbox.address) + "/16"
                                                                 : ""},
                                             {"IPv6Address", ""}};
    Json configuration = Json::array();
    if (bridge) configuration.push_back({{"Subnet", "172.17.0.0/16"}, {"Gateway", "172.17.0.1"}});
    return {{"Name", bridge ? "bridge" : "none"},
            {"Id", bridge ? bridge_network_id : none_network_id},
            {"Created", services::format_time(0)},
            {"Scope", "local"},
            {"Driver", bridge ? "bridge" : "null"},
            {"EnableIPv4", true},
            {"EnableIPv6", false},
            {"IPAM", {{"Driver", "default"}, {"Options", nullptr}, {"Config", configuration}}},
            {"Internal", false},
            {"Attachable", false},
            {"Ingress", false},
            {"ConfigFrom", {{"Network", ""}}},
            {"ConfigOnly", false},
            {"Containers", containers},
            {"Options", Json::object()},
            {"Labels", Json::object()}};
}

// Which of the two networks this is. Throws ApiError 404 where it is none.
bool is_bridge(const std::string& name) {
    const auto is = [&](const char* called, std::string_view id) { return name == called || (name.size() >= 2 && id.starts_with(name)); };
    if (is("bridge", bridge_network_id)) return true;
    if (is("none", none_network_id)) return false;
    throw ApiError(404, "network " + name + " not found");
}

} // namespace

Task<> answer_network_list(Engine& engine, Exchange& exchange, std::string) {
    const Filters filters = Filters::parse(exchange.target().parameter("filters"),
                                           {"name", "id", "driver", "scope", "type", "label", "dangling"});
    Json result = Json::array();
    for (const bool bridge : {true, false}) {
        const std::string name = bridge ? "bridge" : "none";
        const std::string id = bridge ? bridge_network_id : none_network_id;
        const bool wanted =
            filters.allows_match("name", {name}) && filters.allows_match("id", {id}) &&
            filters.allows("driver", bridge ? "bridge" : "null") && filters.allows("scope", "local") &&
            filters.allows("type", "builtin") && filters.allows_labels({}) &&
            filters.allows("dangling", "false");
        if (wanted) result.push_back(network_json(engine, bridge, false));
    }
    co_await exchange.reply(200, result);
}

Task<> answer_network_inspect(Engine& engine, Exchange& exchange, std::string name) {
    co_await exchange.reply(200, network_json(engine, is_bridge(name), true));
}

Task<> answer_network_remove(Engine&, Exchange&, std::string name) {
    throw ApiError(403, std::string(is_bridge(name) ? "bridge" : "none") + " is a pre-defined network and cannot be removed");
    co_return;
}

Task<> answer_network_connect(Engine&, Exchange&, std::string name) {
    is_bridge(name);
    throw not_supported("connecting a container to a network, or disconnecting it,");
    co_return;
}

Task<> answer_network_prune(Engine&, Exchange& exchange, std::string) {
    (void)Filters::parse(exchange.target().parameter("filters"), {"label", "label!", "until"}).until(0);
    co_await exchange.reply(200, Json{{"NetworksDeleted", nullptr}});
}

Task<> answer_volume_list(Engine&, Exchange& exchange, std::string) {
    (void)Filters::parse(exchange.target().parameter("filters"), {"name", "driver", "label", "dangling"});
    co_await exchange.reply(200, Json{{"Volumes", Json::array()}, {"Warnings", nullptr}});
}

Task<> answer_volume_inspect(Engine&, Exchange&, std::string name) {
    throw ApiError(404, "get " + name + ": no such volume");
    co_return;
}

Task<> answer_volume_remove(Engine&, Exchange&, std::string name) {
    throw ApiError(404, "get " + name + ": no such volume");
    co_return;
}

Task<> answer_volume_prune(Engine&, Exchange& exchange, std::string) {
    (void)Filters::parse(exchange.target().parameter("filters"), {"label", "label!", "all"});
    co_await exchange.reply(200, Json{{"VolumesDeleted", nullptr}, {"SpaceReclaimed", 0}});
}

Task<> answer_build_prune(Engine&, Exchange& exchange, std::string) {
    (void)Filters::parse(exchange.target().parameter("filters"), {"until", "id", "parent", "type", "description", "inuse", "shared", "private"});
    co_await exchange.reply(200, Json{{"CachesDeleted", nullptr}, {"SpaceReclaimed", 0}});
}

} // namespace engine
