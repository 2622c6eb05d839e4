// /images, through the image store.
#include <algorithm>
#include <iterator>

#include "services/common/text.hpp"
#include "services/engine/engine.hpp"
#include "services/engine/filters.hpp"
#include "services/engine/platform.hpp"

namespace engine {

namespace {

constexpr std::size_t most_loads = 32;

class Counted {
public:
    explicit Counted(std::size_t& number) : number_(++number) {}
    ~Counted() { --number_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    std::size_t& number_;
};

void publish_image(Engine& engine, const std::string& action, const std::string& id) {
    EventMessage message;
    message.type = "image";
    message.action = action;
    message.id = id;
    message.attributes = {{"name", id}};
    engine.events.publish(std::move(message));
}

Json labels_of(const images::Image& image) {
    const Json& labels = object_field(object_field(image.configuration, "config"), "Labels");
    return labels.empty() ? Json(nullptr) : labels;
}

std::map<std::string, std::string> label_map(const images::Image& image) {
    std::map<std::string, std::string> labels;
    for (const auto& [name, value] : object_field(object_field(image.configuration, "config"), "Labels").items()) labels[name] = value.is_string() ? value.get<std::string>() : "";
    return labels;
}

// In seconds since 1970.
std::int64_t created_of(const images::Image& image) { return time_field(image.configuration, "created"); }
std::int64_t seconds_of(std::int64_t nanoseconds) { return nanoseconds / 1'000'000'000; }

std::string without_registry(std::string repository) {
    std::string_view rest = repository;
    if (services::consume(rest, "docker.io/")) services::consume(rest, "library/");
    return std::string(rest);
}

Task<images::Image> find_image(Engine& engine, const std::string& reference) {
    auto image = co_await with_images(engine.workers, [&] { return engine.images.find(reference); });
    if (!image)
        throw ApiError(404, "No such image: " + (services::is_hexadecimal(reference) || reference.starts_with("sha256:")
                                                     ? reference
                                                     : images::normalize_name(reference)));
    co_return std::move(*image);
}

} // namespace

Task<> answer_image_load(Engine& engine, Exchange& exchange, std::string) {
    check_platform(exchange.target().parameter("platform"));
    if (engine.loads >= most_loads) throw ApiError(503, std::to_string(most_loads) + " images are being loaded already");
    const Counted load(engine.loads);
    co_await exchange.continue_if_expected();
    asio::thread_pool own(1);
    const std::vector<std::string> loaded = co_await with_images(own, [&] {
        return engine.images.load(
            [&](char* buffer, std::size_t size) { return exchange.read_body_blocking(buffer, size); });
    });
    std::string text;
    for (const std::string& name : loaded) {
        const bool is_id = name.starts_with("sha256:");
        text += Json{{"stream", (is_id ? "Loaded image ID: " : "Loaded image: ") + name + "\n"}}.dump() + "\r\n";
        publish_image(engine, "load", name);
    }
    co_await exchange.begin_stream(200, "application/json");
    co_await exchange.write_piece(text);
    co_await exchange.end_stream();
}

Task<> answer_image_list(Engine& engine, Exchange& exchange, std::string) {
    const Filters filters = Filters::parse(exchange.target().parameter("filters"),
                                           {"reference", "dangling", "label", "before", "since", "until"});
    std::int64_t before = INT64_MAX, since = INT64_MIN;
    for (const std::string& name : filters.values("before")) before = std::min(before, created_of(co_await find_image(engine, name)));
    for (const std::string& name : filters.values("since")) since = std::max(since, created_of(co_await find_image(engine, name)));
    const std::int64_t until = seconds_of(filters.until(services::realtime_nanoseconds()));
    auto images = co_await with_images(engine.workers, [&] { return engine.images.list(); });
    std::ranges::sort(images, [](const auto& left, const auto& right) { return created_of(left) > created_of(right); });
    const auto containers = engine.containers.image_ids();
    Json result = Json::array();
    for (const images::Image& image : images) {
        const std::int64_t created = created_of(image);
        std::vector<std::string> names;
        std::ranges::copy_if(image.names, std::back_inserter(names), [&](const std::string& name) {
            return filters.allows_if("reference", [&](const std::string& value) { return glob_fits(value, name) || glob_fits(value, name.substr(0, name.rfind(':'))); });
        });
        if (created >= before || created <= since || created > until || (names.empty() && filters.has("reference")) || !filters.allows_labels(label_map(image)) ||
            !filters.allows_if("dangling", [&](const std::string& value) {
                return (value == "true" || value == "1") == image.names.empty();
            }))
            continue;
        result.push_back({{"Id", image.id},
                          {"ParentId", ""},
                          {"RepoTags", names},
                          {"RepoDigests", Json::array()},
                          {"Created", created},
                          {"Size", image.size},
                          {"SharedSize", -1},
                          {"VirtualSize", image.size},
                          {"Labels", labels_of(image)},
                          {"Containers", std::ranges::count(containers, image.id)}});
    }
    co_await exchange.reply(200, result);
}

Task<> answer_image_inspect(Engine& engine, Exchange& exchange, std::string name) {
    const images::Image image = co_await find_image(engine, name);
    const Json& configuration = image.configuration;
    const std::string created = text_field(configuration, "created");
    co_await exchange.reply(200,
                            Json{{"Id", image.id},
                                 {"RepoTags", image.names},
                                 {"RepoDigests", Json::array()},
                                 {"Parent", ""},
                                 {"Comment", ""},
                                 {"Created", created.empty() ? services::format_time(0) : created},
                                 {"DockerVersion", ""},
                                 {"Author", text_field(configuration, "author")},
                                 {"Config", object_field(configuration, "config")},
                                 {"Architecture", text_field(configuration, "architecture")},
                                 {"Os", text_field(configuration, "os")},
                                 {"Size", image.size},
                                 {"VirtualSize", image.size},
                                 {"GraphDriver", {{"Name", "erofs"}, {"Data", nullptr}}},
                                 {"RootFS", {{"Type", "layers"}, {"Layers", image.layers}}},
                                 {"Metadata", {{"LastTagTime", services::format_time(image.loaded * 1'000'000'000)}}}});
}

Task<> answer_image_history(Engine& engine, Exchange& exchange, std::string name) {
    const images::Image image = co_await find_image(engine, name);
    Json result = Json::array();
    if (const auto history = image.configuration.find("history");
        history != image.configuration.end() && history->is_array())
        for (auto entry = history->rbegin(); entry != history->rend(); ++entry)
            if (entry->is_object())
                result.push_back({{"Id", "<missing>"},
                                  {"Created", time_field(*entry, "created")},
                                  {"CreatedBy", text_field(*entry, "created_by")},
                                  {"Tags", nullptr},
                                  {"Size", 0},
                                  {"Comment", text_field(*entry, "comment")}});
    if (result.empty())
        result.push_back({{"Created", time_field(image.configuration, "created")}, {"CreatedBy", ""}, {"Size", image.size}, {"Comment", ""}});
    result[0]["Id"] = image.id;
    result[0]["Size"] = image.size;
    result[0]["Tags"] = image.names;
    co_await exchange.reply(200, result);
}

Task<> answer_image_tag(Engine& engine, Exchange& exchange, std::string name) {
    const std::string repository = without_registry(std::string(exchange.target().parameter("repo")));
    const std::string tag(exchange.target().parameter("tag"));
    const images::Image image = co_await find_image(engine, name);
    co_await with_images(engine.workers,
                         [&] { engine.images.tag(image.id, repository, tag.empty() ? "latest" : tag); });
    publish_image(engine, "tag", image.id);
    co_await exchange.reply_empty(201);
}

Task<> answer_image_remove(Engine& engine, Exchange& exchange, std::string name) {
    const bool force = exchange.target().flag("force");
    const auto in_use = engine.containers.image_ids();
    const auto removed =
        co_await with_images(engine.workers, [&] { return engine.images.remove(name, force, in_use); });
    Json result = Json::array();
    for (const std::string& each : removed.untagged) {
        result.push_back({{"Untagged", each}});
        publish_image(engine, "untag", each);
    }
    for (const std::string& each : removed.deleted) {
        result.push_back({{"Deleted", each}});
        publish_image(engine, "delete", each);
    }
    co_await exchange.reply(200, result);
}

Task<> answer_image_prune(Engine& engine, Exchange& exchange, std::string) {
    const Filters filters = Filters::parse(exchange.target().parameter("filters"), {"dangling", "label", "label!", "until"});
    const std::int64_t until = seconds_of(filters.until(services::realtime_nanoseconds()));
    const bool all = filters.has("dangling") && !filters.values("dangling").contains("true") &&
                     !filters.values("dangling").contains("1");
    const auto in_use = engine.containers.image_ids();
    const auto images = co_await with_images(engine.workers, [&] { return engine.images.list(); });
    Json deleted = Json::array();
    std::uint64_t reclaimed = 0;
    for (const images::Image& image : images) {
        if ((!all && !image.names.empty()) || created_of(image) > until || !filters.allows_labels(label_map(image)) || std::ranges::find(in_use, image.id) != in_use.end()) continue;
        const auto removed =
            co_await with_images(engine.workers, [&] { return engine.images.remove(image.id, true, in_use); });
        for (const std::string& each : removed.untagged) deleted.push_back({{"Untagged", each}});
        for (const std::string& each : removed.deleted) deleted.push_back({{"Deleted", each}});
        reclaimed += image.size;
    }
    co_await exchange.reply(
        200, Json{{"ImagesDeleted", deleted.empty() ? Json(nullptr) : deleted}, {"SpaceReclaimed", reclaimed}});
}

} // namespace engine
