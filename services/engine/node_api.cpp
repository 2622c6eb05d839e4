// GET /themelios/node: the node's own figures. GET /themelios/log: the lines that its programs and sandboxes wrote. GET /themelios/audit: the batches of its audit log.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "services/engine/engine.hpp"

namespace engine {

namespace {

using abi::runtime::Tag;

// Plain numbers of the runtime's answer, by the name they have here.
constexpr std::pair<Tag, const char*> figures[] = {
    {Tag::cpu_count, "cpus"},
    {Tag::free_pages, "free_pages"},
    {Tag::total_pages, "total_pages"},
    {Tag::table_pages, "table_pages"},
    {Tag::restarts, "restarts"},
    {Tag::sandbox_count, "sandboxes"},
    {Tag::monotonic, "monotonic_nanoseconds"},
    {Tag::context_switches, "context_switches"},
    {Tag::root_loads, "root_loads"},
    {Tag::boot_nanoseconds, "boot_nanoseconds"},
    {Tag::cpu_nanoseconds, "cpu_nanoseconds"},
};

} // namespace

Task<> answer_node(Engine& engine, Exchange& exchange, std::string) {
    services::Reply reply;
    try {
        reply = co_await engine.runtime.node_info();
    } catch (const services::ChannelError& error) {
        throw_runtime_failure(error, "the node's figures");
    }
    Json result{{"version", THEMELIOS_VERSION},
                {"objects", Json::object()},
                {"missing_calls", Json::array()},
                {"idle_wakeups", Json::array()},
                {"warnings", Json::array()},
                {"containers", engine.containers.list().size()}};
    auto records = reply.records();
    abi::TlvRecord record;
    while (records.next(record)) {
        const Tag tag = static_cast<Tag>(record.tag);
        for (const auto& [known, name] : figures)
            if (tag == known) result[name] = record.number();
        if (tag == Tag::idle_wakeups) {
            result["idle_wakeups"].push_back(record.number());
        } else if (tag == Tag::warning) {
            result["warnings"].push_back(std::string(record.text()));
        } else if (tag == Tag::version) {
            result["node_version"] = std::string(record.text());
        } else if (tag == Tag::uplink_address) {
            result["uplink_address"] = address_text(ntohl(static_cast<std::uint32_t>(record.number())));
        } else if (tag == Tag::object && record.value.size() == sizeof(abi::runtime::ObjectCount)) {
            abi::runtime::ObjectCount count;
            std::memcpy(&count, record.value.data(), sizeof count);
            result["objects"][std::string(count.kind, strnlen(count.kind, sizeof count.kind))] = count.count;
        } else if (tag == Tag::missing_call && record.value.size() == sizeof(abi::runtime::MissingCall)) {
            abi::runtime::MissingCall call;
            std::memcpy(&call, record.value.data(), sizeof call);
            result["missing_calls"].push_back(
                {{"sandbox", call.sandbox}, {"number", call.number}, {"count", call.count}});
        }
    }
    co_await exchange.reply(200, result);
}

Task<> answer_node_log(Engine& engine, Exchange& exchange, std::string) {
    std::vector<abi::runtime::LogLine> lines;
    try {
        lines = co_await engine.runtime.log_lines(0);
    } catch (const services::ChannelError& error) {
        throw_runtime_failure(error, "the node's log");
    }
    std::string text;
    for (const abi::runtime::LogLine& line : lines) {
        char time[48];
        std::snprintf(time, sizeof time, "%6llu.%06llu ", static_cast<unsigned long long>(line.nanoseconds / 1'000'000'000),
                      static_cast<unsigned long long>(line.nanoseconds / 1000 % 1'000'000));
        text.append(time).append(line.writer, strnlen(line.writer, sizeof line.writer)).append(": ");
        text.append(line.text, std::min<std::size_t>(line.text_bytes, sizeof line.text)).append("\n");
    }
    co_await exchange.reply_text(200, "text/plain; charset=utf-8", text);
}

Task<> answer_audit(Engine& engine, Exchange& exchange, std::string) {
    AuditHead head;
    std::vector<abi::AuditBatch> batches;
    std::string reason = "none is kept";
    try {
        head = co_await engine.runtime.audit_seal();
        batches = co_await engine.runtime.audit_batches(0);
    } catch (const services::ChannelError& error) {
        reason = error.what();
        batches.clear();
    }
    std::string text = AuditHeads::text(head);
    if (text.empty() || batches.empty()) throw ApiError(503, "the node's audit log cannot be read: " + reason);
    // What follows ends with the batch that the answer's head names: the two can be held against each other. More comes for as long as somebody works, and is for the next request.
    exchange.set_audit_head(std::move(text));
    co_await exchange.begin_stream(200, "application/octet-stream");
    for (std::uint64_t next = batches.front().sequence;;) {
        // From a client that reads slowly the log runs away. It sees an answer without an end, and not a log with a hole.
        for (std::size_t i = 0; i < batches.size(); ++i)
            if (batches[i].sequence != next + i) throw std::runtime_error("the audit log was written over while it was read");
        const std::size_t count = next > head.sequence ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(batches.size(), head.sequence - next + 1));
        if (count == 0) throw std::runtime_error("the audit log ends before its head");
        co_await exchange.write_piece({reinterpret_cast<const char*>(batches.data()), count * sizeof(abi::AuditBatch)});
        next += count;
        if (next > head.sequence) break;
        batches = co_await engine.runtime.audit_batches(next - 1);
    }
    co_await exchange.end_stream();
}

} // namespace engine
