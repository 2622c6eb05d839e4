#include "services/engine/runtime_client.hpp"

#include <cstring>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "services/common/log.hpp"

namespace engine {

using abi::runtime::Message;
using abi::runtime::Tag;
using services::Reply;
using services::Request;

static void add_limits(Request& request, const ProcessorLimits& limits) {
    request.number(Tag::cpu_quota, limits.quota()).number(Tag::cpu_period, limits.period()).number(Tag::cpu_shares, limits.shares);
    if (limits.processors != 0) request.number(Tag::cpu_mask, limits.processors);
}

Task<Reply> RuntimeClient::call(Message message, Request request) {
    co_return co_await offload(workers_, [&] { return channel_.call(message, std::move(request)); });
}

Task<Reply> RuntimeClient::call_and_wait(Message message, Request request) {
    auto session = co_await offload(workers_, [&] { return channel_.send(message, std::move(request)); });
    {
        struct Lent { // the descriptor stays the session's, whose calls block
            asio::posix::stream_descriptor descriptor;
            ~Lent() {
                ErrorCode ignored;
                descriptor.native_non_blocking(false, ignored);
                descriptor.release();
            }
        } lent{asio::posix::stream_descriptor(io_, session->descriptor())};
        ErrorCode error;
        co_await lent.descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(use_awaitable, error));
        if (error) throw services::ChannelError(abi::Error::io, "the channel of the runtime: " + error.message());
    }
    co_return channel_.receive(std::move(session));
}

Task<Sandbox> RuntimeClient::create(SandboxOptions options) {
    Request request;
    request.text(Tag::name, options.name)
        .text(Tag::hostname, options.hostname)
        .number(Tag::network, options.network ? 1 : 0);
    if (!options.domain_name.empty()) request.text(Tag::domain_name, options.domain_name);
    if (options.fused) request.number(Tag::fused, 1);
    if (options.memory_bytes != 0) request.number(Tag::memory_pages, options.memory_bytes / abi::page_size);
    if (options.task_limit != 0) request.number(Tag::task_limit, options.task_limit);
    add_limits(request, options.processor);
    for (const auto& publish : options.publish) request.bytes(Tag::publish, &publish, sizeof publish);
    const Reply reply = co_await call(Message::sandbox_create, std::move(request));
    Sandbox sandbox;
    sandbox.number = reply.number(Tag::sandbox);
    sandbox.address = ntohl(static_cast<std::uint32_t>(reply.number(Tag::address)));
    co_return sandbox;
}

Task<> RuntimeClient::add_layer(std::uint64_t sandbox, int fd) {
    Request request;
    request.number(Tag::sandbox, sandbox).descriptor(fd);
    co_await call(Message::sandbox_add_layer, std::move(request));
}

Task<> RuntimeClient::prepare(std::uint64_t sandbox) {
    Request request;
    request.number(Tag::sandbox, sandbox);
    co_await call(Message::sandbox_prepare, std::move(request));
}

Task<services::UniqueFd> RuntimeClient::stream(std::uint64_t sandbox, unsigned number) {
    Request request;
    request.number(Tag::sandbox, sandbox).number(Tag::stream, number);
    Reply reply = co_await call(Message::sandbox_stream, std::move(request));
    if (reply.descriptors.size() != 1) throw services::ChannelError(abi::Error::broken, "the runtime gave no stream");
    co_return std::move(reply.descriptors.front());
}

Task<int> RuntimeClient::start(std::uint64_t sandbox, ProgramOptions options) {
    Request request;
    request.number(Tag::sandbox, sandbox);
    for (const std::string& argument : options.arguments) request.text(Tag::argument, argument);
    for (const std::string& variable : options.environment) request.text(Tag::environment, variable);
    request.text(Tag::directory, options.directory);
    if (!options.user.empty()) request.text(Tag::user, options.user);
    request.number(Tag::terminal, options.terminal).number(Tag::stdin_open, options.stdin_open);
    if (options.rows != 0 && options.columns != 0)
        request.number(Tag::rows, options.rows).number(Tag::columns, options.columns);
    const Reply reply = co_await call_and_wait(Message::sandbox_start, std::move(request));
    co_return static_cast<int>(reply.number(Tag::linux_error));
}

Task<> RuntimeClient::signal(std::uint64_t sandbox, int number) {
    Request request;
    request.number(Tag::sandbox, sandbox).number(Tag::signal, static_cast<std::uint64_t>(number));
    co_await call(Message::sandbox_signal, std::move(request));
}

Task<> RuntimeClient::resize(std::uint64_t sandbox, std::uint16_t rows, std::uint16_t columns) {
    Request request;
    request.number(Tag::sandbox, sandbox).number(Tag::rows, rows).number(Tag::columns, columns);
    co_await call(Message::sandbox_resize, std::move(request));
}

Task<> RuntimeClient::update(std::uint64_t sandbox, ProcessorLimits limits) {
    Request request;
    request.number(Tag::sandbox, sandbox);
    add_limits(request, limits);
    co_await call(Message::sandbox_update, std::move(request));
}

Task<> RuntimeClient::destroy(std::uint64_t sandbox) {
    Request request;
    request.number(Tag::sandbox, sandbox);
    const auto guard = co_await endings_.lock();
    co_await call_and_wait(Message::sandbox_destroy, std::move(request));
}

Task<Reply> RuntimeClient::inspect(std::uint64_t sandbox) {
    Request request;
    request.number(Tag::sandbox, sandbox);
    const auto guard = co_await questions_.lock();
    co_return co_await call_and_wait(Message::sandbox_inspect, std::move(request));
}

Task<Reply> RuntimeClient::node_info() { co_return co_await call(Message::node_info, Request()); }

Task<std::vector<abi::runtime::LogLine>> RuntimeClient::log_lines(std::uint64_t after) {
    std::vector<abi::runtime::LogLine> lines;
    for (std::size_t before = 0;; before = lines.size()) {
        Request request;
        request.number(Tag::after, lines.empty() ? after : lines.back().number);
        const Reply reply = co_await call(Message::node_log, std::move(request));
        auto records = reply.records();
        abi::TlvRecord record;
        while (records.next(record)) {
            abi::runtime::LogLine line;
            if (record.tag != static_cast<std::uint16_t>(Tag::log_line) || record.value.size() != sizeof line) continue;
            std::memcpy(&line, record.value.data(), sizeof line);
            lines.push_back(line);
        }
        if (lines.size() - before < abi::runtime::log_lines_at_once) co_return lines;
    }
}

namespace {

AuditHead head_in(const Reply& reply) {
    AuditHead head;
    head.sequence = reply.number(Tag::audit_sequence);
    auto records = reply.records();
    abi::TlvRecord record;
    while (records.next(record))
        if (record.tag == static_cast<std::uint16_t>(Tag::audit_digest)) {
            head.digest.resize(record.value.size());
            std::memcpy(head.digest.data(), record.value.data(), record.value.size());
        }
    return head;
}

} // namespace

Task<AuditHead> RuntimeClient::audit_head() { co_return head_in(co_await call_and_wait(Message::audit_head, Request())); }

Task<AuditHead> RuntimeClient::audit_seal() { co_return head_in(co_await call(Message::audit_seal, Request())); }

Task<std::vector<abi::AuditBatch>> RuntimeClient::audit_batches(std::uint64_t after) {
    Request request;
    request.number(Tag::after, after);
    const Reply reply = co_await call(Message::audit_read, std::move(request));
    std::vector<abi::AuditBatch> batches;
    auto records = reply.records();
    abi::TlvRecord record;
    while (records.next(record)) {
        if (record.tag != static_cast<std::uint16_t>(Tag::audit_batch) || record.value.size() != sizeof(abi::AuditBatch)) continue;
        std::memcpy(&batches.emplace_back(), record.value.data(), sizeof(abi::AuditBatch));
        // A step of whoever follows the sequences leads on.
        if (batches.back().sequence <= after) throw services::ChannelError(abi::Error::broken, "the runtime gave audit records in disorder");
        after = batches.back().sequence;
    }
    co_return batches;
}

void listen_for_events(asio::io_context& io, std::function<void(abi::runtime::EventRecord)> handle,
                       std::function<void()> lost) {
    std::thread([&io, handle = std::move(handle), lost = std::move(lost)] {
        std::uint64_t after = 0;
        for (;;) {
            try {
                services::Session session("runtime");
                for (;;) {
                    Request request;
                    request.number(Tag::after, after);
                    const Reply reply =
                        session.call(static_cast<std::uint32_t>(Message::next_event), std::move(request));
                    auto records = reply.records();
                    abi::TlvRecord record;
                    while (records.next(record)) {
                        abi::runtime::EventRecord event;
                        if (record.tag != static_cast<std::uint16_t>(Tag::event) || record.value.size() != sizeof event)
                            continue;
                        std::memcpy(&event, record.value.data(), sizeof event);
                        after = event.sequence;
                        asio::post(io, [&handle, event] { handle(event); });
                    }
                }
            } catch (const std::exception& error) {
                services::log_line(std::string("the runtime's events: ") + error.what());
                asio::post(io, lost);
                // The runtime may be on its way back; a node without one is of no use, so there is no limit.
                std::this_thread::sleep_for(std::chrono::milliseconds(500));
            }
        }
    }).detach();
}

} // namespace engine
