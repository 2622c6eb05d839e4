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

} // namespace

Task<> answer_network_list(Engine& engine, Exchange& exchange, std::string) {
    const Filters filters = Filters::parse(exchange.target().parameter("filters"),
                                           {"name", "id", "driver", "scope", "type", "label", "dangling"});
    Json result = Json::array();
    for (const bool bridge : {true, false}) {
        const std::string name = bridge ? "bridge" : "none";
        const std::string id = bridge ? bridge_network_id : none_network_id;
        const bool wanted =
            filters.allows_if("name",
                              [&](const std::string& value) { return name.find(value) != std::string::npos; }) &&
            filters.allows_if("id", [&](const std::string& value) { return id.starts_with(value); }) &&
            filters.allows("driver", bridge ? "bridge" : "null") && filters.allows("scope", "local") &&
            filters.allows("type", "builtin") && filters.allows_labels("label", {}) &&
            filters.allows("dangling", "false");
        if (wanted) result.push_back(network_json(engine, bridge, false));
    }
    co_await exchange.reply(200, result);
}

Task<> answer_network_inspect(Engine& engine, Exchange& exchange, std::string name) {
    auto names = [&](const char* called, std::string_view id) {
        return name == called || (name.size() >= 2 && id.starts_with(name));
    };
    if (names("bridge", bridge_network_id))
        co_await exchange.reply(200, network_json(engine, true, true));
    else if (names("none", none_network_id))
        co_await exchange.reply(200, network_json(engine, false, true));
    else
        throw ApiError(404, "network " + name + " not found");
}

Task<> answer_network_prune(Engine&, Exchange& exchange, std::string) {
    co_await exchange.reply(200, Json{{"NetworksDeleted", nullptr}});
}

Task<> answer_volume_list(Engine&, Exchange& exchange, std::string) {
    co_await exchange.reply(200, Json{{"Volumes", Json::array()}, {"Warnings", nullptr}});
}

Task<> answer_volume_inspect(Engine&, Exchange&, std::string name) {
    throw ApiError(404, "get " + name + ": no such volume");
    co_return;
}

Task<> answer_volume_prune(Engine&, Exchange& exchange, std::string) {
    co_await exchange.reply(200, Json{{"VolumesDeleted", nullptr}, {"SpaceReclaimed", 0}});
}

Task<> answer_build_prune(Engine&, Exchange& exchange, std::string) {
    co_await exchange.reply(200, Json{{"CachesDeleted", nullptr}, {"SpaceReclaimed", 0}});
}

} // namespace engine
