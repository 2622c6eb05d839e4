// GET /containers/ID/stats: what a container uses, each second or once.
#include "services/common/text.hpp"
#include "services/engine/engine.hpp"

namespace engine {

namespace {

constexpr std::chrono::seconds period{1};

struct Node {
    std::uint64_t processors = 0;
    std::uint64_t memory = 0; // bytes
};

// Memory is what runtime knows of the sandbox' quota; the rest is what the sandbox counts of itself.
struct Sample {
    std::int64_t time = 0; // nanoseconds since 1970; 0: there is no such sample
    std::uint64_t used = 0, passed = 0; // processor time, nanoseconds: the container's, and of all processors of the node
    std::uint64_t memory = 0; // bytes
    std::uint64_t tasks = 0, received_bytes = 0, sent_bytes = 0;
};

Task<Node> ask_node(Engine& engine) {
    const auto info = co_await engine.runtime.node_info();
    co_return Node{info.number(abi::runtime::Tag::cpu_count), info.number(abi::runtime::Tag::total_pages) * abi::page_size};
}

// One of no time where the container does not run, or just ends.
Task<Sample> take_sample(Engine& engine, Container& container, const Node& node) {
    using abi::runtime::Tag;
    Sample sample;
    // The sandbox is asked once at a time.
    const auto turn = co_await container.asked.lock();
    if (!container.running()) co_return sample;
    try {
        const auto told = co_await engine.runtime.inspect(container.sandbox.number);
        sample.time = services::realtime_nanoseconds();
        sample.passed = static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count()) * node.processors;
        sample.used = told.number(Tag::cpu_nanoseconds);
        sample.memory = told.number(Tag::memory_pages) * abi::page_size;
        sample.tasks = told.number(Tag::tasks);
        sample.received_bytes = told.number(Tag::received_bytes);
        sample.sent_bytes = told.number(Tag::sent_bytes);
    } catch (const services::ChannelError&) {
    }
    co_return sample;
}

Json processor_json(const Sample& sample, const Node& node) {
    Json result{{"cpu_usage", {{"total_usage", sample.used}, {"usage_in_kernelmode", 0}, {"usage_in_usermode", sample.used}}},
                {"throttling_data", {{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
    if (sample.time != 0) {
        result["system_cpu_usage"] = sample.passed;
        result["online_cpus"] = node.processors;
    }
    return result;
}

Json stats_json(const Container& container, const Node& node, const Sample& before, const Sample& now) {
    const ContainerSpec& spec = container.spec;
    Json result{{"name", "/" + container.name},
                {"id", container.id},
                {"read", services::format_time(now.time)},
                {"preread", services::format_time(before.time)},
                {"num_procs", 0},
                {"pids_stats", Json::object()},
                {"blkio_stats", Json::object()},
                {"storage_stats", Json::object()},
                {"memory_stats", Json::object()},
                {"cpu_stats", processor_json(now, node)},
                {"precpu_stats", processor_json(before, node)}};
    if (now.time == 0) return result;
    result["pids_stats"]["current"] = now.tasks;
    if (spec.task_limit != 0) result["pids_stats"]["limit"] = spec.task_limit;
    result["memory_stats"] = {{"usage", now.memory}, {"limit", spec.memory_bytes != 0 ? std::min(spec.memory_bytes, node.memory) : node.memory}, {"stats", Json::object()}};
    if (spec.network)
        result["networks"]["eth0"] = {{"rx_bytes", now.received_bytes}, {"rx_packets", 0}, {"rx_errors", 0}, {"rx_dropped", 0},
                                      {"tx_bytes", now.sent_bytes},     {"tx_packets", 0}, {"tx_errors", 0}, {"tx_dropped", 0}};
    return result;
}

} // namespace

Task<> answer_container_stats(Engine& engine, Exchange& exchange, std::string id) {
    const Target& target = exchange.target();
    const auto container = engine.containers.find(id);
    const bool stream = target.parameter("stream").empty() || target.flag("stream");
    const Node node = co_await ask_node(engine);
    exchange.watch([container] { container->changed.notify(); });
    const auto over = [&] { return exchange.client_gone() || container->removed; };
    Sample before;
    if (stream) {
        co_await exchange.begin_stream(200, "application/json");
        while (!over()) {
            const auto next = Clock::now() + period;
            const Sample now = co_await take_sample(engine, *container, node);
            co_await exchange.write_piece(stats_json(*container, node, before, now).dump() + "\n");
            before = now;
            co_await container->changed.wait_until(next, over);
        }
        co_await exchange.unwatch();
        co_await exchange.end_stream();
        co_return;
    }
    // A rate needs two of them.
    if (!target.flag("one-shot")) {
        before = co_await take_sample(engine, *container, node);
        if (before.time != 0) co_await container->changed.wait_until(Clock::now() + period, over);
    }
    const Sample now = co_await take_sample(engine, *container, node);
    co_await exchange.unwatch();
    co_await exchange.reply(200, stats_json(*container, node, before, now));
}

} // namespace engine
