#include "services/engine/containers.hpp"

#include <algorithm>

#include "services/common/log.hpp"
#include "services/common/text.hpp"
#include "services/engine/error.hpp"
#include "services/engine/names.hpp"

namespace engine {

const char* state_name(State state) {
    switch (state) {
    case State::created: return "created";
    case State::running: return "running";
    case State::restarting: return "restarting";
    case State::exited: return "exited";
    case State::removing: return "removing";
    }
    return "dead";
}

void throw_runtime_failure(const services::ChannelError& error, const std::string& what) {
    const std::string reason = error.what();
    switch (error.error) {
    case abi::Error::peer_closed: throw ApiError(503, what + ": the runtime is not reachable: " + reason);
    case abi::Error::no_memory: throw ApiError(500, what + ": the node has not enough memory: " + reason);
    case abi::Error::not_supported:
    case abi::Error::unknown_call: throw ApiError(501, what + ": " + reason);
    case abi::Error::bad_argument:
    case abi::Error::too_large: throw ApiError(400, what + ": " + reason);
    default: throw ApiError(500, what + ": " + reason);
    }
}

std::string Containers::claim_name(std::string name, const std::string& id) {
    if (name.empty()) {
        for (int attempt = 0;; ++attempt)
            if (const std::string made_up = made_up_name(attempt); names_.try_emplace(made_up, id).second)
                return made_up;
    }
    if (name.starts_with('/')) name.erase(0, 1);
    if (!is_container_name(name))
        throw bad_request("Invalid container name (" + name + "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    const auto [holder, free] = names_.try_emplace(name, id);
    if (!free)
        throw ApiError(409, "Conflict. The container name \"/" + name + "\" is already in use by container \"" +
                                holder->second +
                                "\". You have to remove (or rename) that container to be able to reuse that name.");
    return name;
}

Task<> Containers::check_limits(const ProcessorLimits& limits) {
    if (limits.nano_cpus == 0 && limits.cpuset.empty()) co_return;
    std::uint64_t cpus = 0;
    try {
        cpus = (co_await runtime_.node_info()).number(abi::runtime::Tag::cpu_count);
    } catch (const services::ChannelError& error) {
        throw_runtime_failure(error, "the node's processors");
    }
    check_processors(limits, cpus);
}

Task<ContainerPointer> Containers::create(ContainerSpec spec, std::string name) {
    co_await check_limits(spec.processor);
    const std::string reference = images::normalize_name(spec.image);
    auto image = co_await offload(workers_, [&] { return images_.find(spec.image); });
    if (!image) throw ApiError(404, "No such image: " + reference);
    apply_image(spec, image->configuration);
    if (spec.terminal && std::ranges::find_if(spec.environment, [](const std::string& each) {
                             return each.starts_with("TERM=");
                         }) == spec.environment.end())
        spec.environment.push_back("TERM=xterm");
    const std::string id = services::random_hexadecimal(32);
    name = claim_name(std::move(name), id);
    auto container = std::make_shared<Container>(io_, id, name, std::move(spec), std::move(*image));
    container->created = services::realtime_nanoseconds();
    container->rows = container->spec.rows;
    container->columns = container->spec.columns;
    try {
        co_await make_sandbox(*container);
    } catch (...) {
        names_.erase(name);
        throw;
    }
    by_sandbox_[container->sandbox.number] = container;
    containers_[id] = container;
    publish(*container, "create");
    co_return container;
}

Task<> Containers::make_sandbox(Container& container) {
    SandboxOptions options;
    options.name = container.id;
    options.hostname = container.hostname();
    options.domain_name = container.spec.domain_name;
    options.memory_bytes = container.spec.memory_bytes;
    options.task_limit = container.spec.task_limit;
    options.processor = container.spec.processor;
    options.network = container.spec.network;
    options.fused = container.spec.fused;
    const bool chosen =
        std::ranges::any_of(container.spec.publish, [](const PortBinding& binding) { return binding.node_port == 0; });
    for (int attempt = 0;; ++attempt) {
        container.published = container.spec.publish;
        options.publish.clear();
        for (PortBinding& binding : container.published) {
            if (binding.node_port == 0) {
                binding.node_port = next_port_;
                next_port_ = next_port_ == 65535 ? 49153 : next_port_ + 1;
            }
            options.publish.push_back({binding.container.protocol, binding.node_port, binding.container.number});
        }
        try {
            container.sandbox = co_await runtime_.create(options);
            break;
        } catch (const services::ChannelError& error) {
            if (error.error == abi::Error::denied && chosen && attempt < 64) continue;
            if (error.error == abi::Error::denied && !options.publish.empty())
                throw ApiError(500, "driver failed programming external connectivity on endpoint " + container.name +
                                        " (" + container.id +
                                        "): Bind for 0.0.0.0:" + std::to_string(options.publish.front().node_port) +
                                        " failed: port is already allocated");
            throw_runtime_failure(error, "failed to create the container");
        }
    }
    std::string failure;
    int status = 500;
    try {
        for (const std::string& layer : container.image.layers) {
            const services::UniqueFd fd(co_await offload(workers_, [&] { return images_.open_layer(layer); }));
            co_await runtime_.add_layer(container.sandbox.number, fd.get());
        }
        co_return;
    } catch (const images::ImageError& error) {
        status = error.status;
        failure = error.what();
    } catch (const services::ChannelError& error) {
        failure = error.what();
    }
    // Nothing half-made is left.
    try {
        co_await runtime_.destroy(container.sandbox.number);
    } catch (const services::ChannelError& error) {
        services::log_line("sandbox of " + container.id + " is left over: " + error.what());
    }
    container.sandbox = {};
    throw ApiError(status, "failed to create the container: " + failure);
}

ContainerPointer Containers::find_or_null(const std::string& reference) const {
    if (const auto found = containers_.find(reference); found != containers_.end()) return found->second;
    const std::string name = reference.starts_with('/') ? reference.substr(1) : reference;
    if (const auto holder = names_.find(name); holder != names_.end())
        if (const auto found = containers_.find(holder->second); found != containers_.end()) return found->second;
    if (!services::is_hexadecimal(reference)) return nullptr;
    const auto first = containers_.lower_bound(reference);
    if (first == containers_.end() || !first->first.starts_with(reference)) return nullptr;
    if (const auto second = std::next(first); second != containers_.end() && second->first.starts_with(reference))
        throw bad_request("multiple IDs found with provided prefix: " + reference);
    return first->second;
}

ContainerPointer Containers::find(const std::string& reference) const {
    if (auto container = find_or_null(reference)) return container;
    throw ApiError(404, "No such container: " + reference);
}

std::vector<ContainerPointer> Containers::list() const {
    std::vector<ContainerPointer> result;
    for (const auto& [id, container] : containers_) result.push_back(container);
    std::ranges::sort(result, [](const auto& left, const auto& right) { return left->created > right->created; });
    return result;
}

std::vector<std::string> Containers::image_ids() const {
    std::vector<std::string> result;
    for (const auto& [id, container] : containers_) result.push_back(container->image.id);
    return result;
}

void Containers::rename(Container& container, std::string name) {
    if (container.removed) throw ApiError(404, "No such container: " + container.id);
    if (name.empty()) throw bad_request("Neither old nor new names may be empty");
    if (name == container.name || name == "/" + container.name)
        throw bad_request("Renaming a container with the same name as its current name");
    name = claim_name(std::move(name), container.id);
    names_.erase(container.name);
    const std::string old = std::exchange(container.name, name);
    publish(container, "rename", {{"oldName", "/" + old}});
}

Task<> Containers::resize(ContainerPointer container, std::uint16_t rows, std::uint16_t columns) {
    if (!container->running()) throw ApiError(409, "container " + container->id + " is not running");
    container->rows = rows;
    container->columns = columns;
    if (!container->spec.terminal) co_return;
    try {
        co_await runtime_.resize(container->sandbox.number, rows, columns);
    } catch (const services::ChannelError& error) {
        if (error.error != abi::Error::bad_state) // it ended in the meantime
            throw_runtime_failure(error, "cannot resize container " + container->id);
    }
    publish(*container, "resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}});
}

Task<std::vector<std::string>> Containers::update(ContainerPointer container, Json changes) {
    const auto guard = co_await container->lifecycle.lock();
    if (container->removed || container->state == State::removing)
        throw ApiError(409, "Cannot update container " + container->id + ": Container is marked for removal and cannot be \"update\".");
    std::vector<std::string> warnings;
    const ProcessorLimits limits = updated_limits(container->spec.processor, std::move(changes), warnings);
    co_await check_limits(limits);
    try {
        co_await runtime_.update(container->sandbox.number, limits);
    } catch (const services::ChannelError& error) {
        throw_runtime_failure(error, "Cannot update container " + container->id);
    }
    container->spec.processor = limits;
    publish(*container, "update");
    co_return warnings;
}

void Containers::publish(const Container& container, const std::string& action,
                         std::map<std::string, std::string> attributes) {
    EventMessage message;
    message.type = "container";
    message.action = action;
    message.id = container.id;
    message.from = container.spec.image;
    message.attributes = std::move(attributes);
    message.attributes.try_emplace("image", container.spec.image);
    message.attributes.try_emplace("name", container.name);
    for (const auto& [name, value] : container.spec.labels) message.attributes.try_emplace(name, value);
    events_.publish(std::move(message));
}

} // namespace engine
