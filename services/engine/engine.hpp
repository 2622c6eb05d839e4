// The parts of the engine, and the handlers of its API.
#pragma once
#include <string>

#include "services/engine/connection.hpp"
#include "services/engine/containers.hpp"
#include "services/engine/error.hpp"

namespace engine {

struct Engine {
    Engine(asio::io_context& io, images::ImageStore& images, std::size_t worker_count)
        : io(io), images(images), workers(worker_count), runtime(io, workers), audit_heads(io, [this] { return runtime.audit_head(); }), events(io),
          containers(io, workers, runtime, images, events) {}

    asio::io_context& io;
    images::ImageStore& images;
    asio::thread_pool workers; // blocking calls of the runtime and the image store
    ClientWaits waits;
    std::size_t loads = 0; // images being loaded, each on a thread of its own: as slow as their clients
    RuntimeClient runtime;
    AuditHeads audit_heads;
    EventBus events;
    Containers containers;
    std::string node_id;
};

// Answers one request; throws ApiError.
Task<> handle_request(Engine& engine, Exchange& exchange);

// A handler gets the part of the path that its route leaves open: an id or a name.
using Answer = Task<> (*)(Engine&, Exchange&, std::string);

// system_api.cpp
Task<> answer_ping(Engine&, Exchange&, std::string);
Task<> answer_version(Engine&, Exchange&, std::string);
Task<> answer_info(Engine&, Exchange&, std::string);
Task<> answer_events(Engine&, Exchange&, std::string);
Task<> answer_disk_usage(Engine&, Exchange&, std::string);
// node_api.cpp
Task<> answer_node(Engine&, Exchange&, std::string);
Task<> answer_node_log(Engine&, Exchange&, std::string);
Task<> answer_audit(Engine&, Exchange&, std::string);
// container_api.cpp
Task<> answer_container_create(Engine&, Exchange&, std::string);
Task<> answer_container_list(Engine&, Exchange&, std::string);
Task<> answer_container_inspect(Engine&, Exchange&, std::string);
Task<> answer_container_start(Engine&, Exchange&, std::string);
Task<> answer_container_stop(Engine&, Exchange&, std::string);
Task<> answer_container_restart(Engine&, Exchange&, std::string);
Task<> answer_container_kill(Engine&, Exchange&, std::string);
Task<> answer_container_remove(Engine&, Exchange&, std::string);
Task<> answer_container_rename(Engine&, Exchange&, std::string);
Task<> answer_container_resize(Engine&, Exchange&, std::string);
Task<> answer_container_update(Engine&, Exchange&, std::string);
Task<> answer_container_wait(Engine&, Exchange&, std::string);
Task<> answer_container_prune(Engine&, Exchange&, std::string);
// stats_api.cpp
Task<> answer_container_stats(Engine&, Exchange&, std::string);
// stream_api.cpp
Task<> answer_container_attach(Engine&, Exchange&, std::string);
Task<> answer_container_logs(Engine&, Exchange&, std::string);
// image_api.cpp
Task<> answer_image_load(Engine&, Exchange&, std::string);
Task<> answer_image_list(Engine&, Exchange&, std::string);
Task<> answer_image_inspect(Engine&, Exchange&, std::string);
Task<> answer_image_history(Engine&, Exchange&, std::string);
Task<> answer_image_tag(Engine&, Exchange&, std::string);
Task<> answer_image_remove(Engine&, Exchange&, std::string);
Task<> answer_image_prune(Engine&, Exchange&, std::string);
// network_api.cpp
Task<> answer_network_list(Engine&, Exchange&, std::string);
Task<> answer_network_inspect(Engine&, Exchange&, std::string);
Task<> answer_network_remove(Engine&, Exchange&, std::string);
Task<> answer_network_connect(Engine&, Exchange&, std::string); // and disconnect
Task<> answer_network_prune(Engine&, Exchange&, std::string);
Task<> answer_volume_list(Engine&, Exchange&, std::string);
Task<> answer_volume_inspect(Engine&, Exchange&, std::string);
Task<> answer_volume_remove(Engine&, Exchange&, std::string);
Task<> answer_volume_prune(Engine&, Exchange&, std::string);
Task<> answer_build_prune(Engine&, Exchange&, std::string);

// container_view.cpp: as GET /containers/json and GET /containers/ID/json show a container
Json container_summary(const Container& container);
Json container_details(const Container& container);
// Docker's words: "Up 5 minutes", "Exited (0) 3 hours ago".
std::string status_words(const Container& container, std::int64_t now);
std::string duration_words(std::int64_t nanoseconds);
std::string address_text(std::uint32_t address);
// network_api.cpp
inline constexpr const char* bridge_network_id = "7c1bb6b06ba49ab5ae0bd8a1aae3a5b8ee0dcf0cf8ac3c8f3e59e9a3c9f3b5d1";
inline constexpr const char* none_network_id = "0a1f4c8b5c9d3e72a6c4b18f97e0d2356bfa4c71e8d95b023f6a7c8d9e0b1f24";
// image_api.cpp: runs `function` on a worker; ImageErrors become ApiErrors.
template <class Function>
Task<std::invoke_result_t<Function>> with_images(asio::thread_pool& pool, Function function) {
    try {
        co_return co_await offload(pool, std::move(function));
    } catch (const images::ImageError& error) {
        throw ApiError(error.status, error.what());
    }
}

} // namespace engine
