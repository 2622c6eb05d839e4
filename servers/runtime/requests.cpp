// The messages of the channel `runtime`.
#include "servers/runtime/server.hpp"

#include "abi/log_client.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"

#include <cstring>
#include <iterator>
#include <new>

namespace runtime {

using abi::runtime::Message;
using abi::runtime::Tag;

namespace {

constexpr std::uint32_t flow_uplink = 1, flow_peers = 2;
constexpr std::uint64_t log_patience_milliseconds = 1000;
// An IoSpace gives devices physical addresses, also where the machine has an IOMMU.
constexpr std::string_view no_iommu = "no IOMMU is used: a device, and whoever drives it, can reach all of the node's memory";
constexpr std::uint16_t tag(Tag value) { return static_cast<std::uint16_t>(value); }

constexpr const char* kind_names[] = {"none",    "quota",        "lease", "process", "thread", "space",    "memory",  "endpoint", "reply",
                                      "notification", "port", "budget",  "irq",    "io_space", "io_port", "device",   "audit_log", "pager"};
static_assert(std::size(kind_names) == static_cast<std::size_t>(abi::ObjectKind::count));

std::string_view reason_of(Message message, abi::Error error) {
    if ((message == Message::audit_head || message == Message::audit_read || message == Message::audit_seal) && error == abi::Error::not_found)
        return "the node keeps no audit log";
    if (error == abi::Error::not_found)
        return "no such sandbox";
    if (message == Message::sandbox_create && error == abi::Error::denied)
        return "a port that was to be published is taken";
    if (message == Message::sandbox_create && error == abi::Error::timed_out)
        return "the node's switch does not answer";
    if (error == abi::Error::no_memory)
        return "the node has no memory for it";
    return {};
}

ProcessorLimits processor_limits(const native::ChannelRequest& request) {
    ProcessorLimits limits;
    limits.quota = request.number(Tag::cpu_quota, 0);
    limits.shares = request.number(Tag::cpu_shares, 0);
    limits.processors = request.number(Tag::cpu_mask, 0);
    if (const std::uint64_t period = request.number(Tag::cpu_period, 0); period != 0)
        limits.period = period;
    return limits;
}

} // namespace

void Server::on_request(native::ChannelRequest request) {
    const auto message = static_cast<Message>(request.message());
    base::Result<void> done = base::fail(abi::Error::unknown_call);
    switch (message) {
    case Message::sandbox_create: done = create(request); break;
    case Message::sandbox_add_layer: done = add_layer(request); break;
    case Message::sandbox_stream: done = give_stream(request); break;
    case Message::sandbox_start: done = start(request); break;
    case Message::sandbox_signal: done = signal(request); break;
    case Message::sandbox_resize: done = resize(request); break;
    case Message::sandbox_destroy: done = destroy(request); break;
    case Message::next_event: done = next_event(request); break;
    case Message::node_info: done = node_info(request); break;
    case Message::sandbox_inspect: done = inspect(request); break;
    case Message::sandbox_prepare: done = prepare_run(request); break;
    case Message::node_log: done = node_log(request); break;
    case Message::begin: done = begin(request); break;
    case Message::sandbox_update: done = update(request); break;
    case Message::audit_head: done = audit_head(request); break;
    case Message::audit_read: done = audit_read(request); break;
    case Message::audit_seal: done = audit_seal(request); break;
    }
    if (!done)
        request.refuse(done.error(), reason_of(message, done.error()), tag(Tag::reason));
}

base::Result<void> Server::create(native::ChannelRequest& request) {
    SandboxSettings settings;
    settings.memory_pages = request.number(Tag::memory_pages, 0);
    settings.processor = processor_limits(request);
    settings.task_limit = request.number(Tag::task_limit, 0);
    settings.fused = request.number(Tag::fused, 0) != 0;
    abi::TlvRecord record;
    if (request.find(Tag::hostname, record))
        settings.hostname[record.text().copy(settings.hostname, sizeof settings.hostname - 1)] = 0;
    if (request.find(Tag::domain_name, record))
        settings.domain_name[record.text().copy(settings.domain_name, sizeof settings.domain_name - 1)] = 0;
    Sandbox* const sandbox = TRY(make_sandbox(settings, request.number(Tag::network, 1) != 0 ? flow_uplink | flow_peers : 0));
    sandbox->owner = request.badge();
    abi::TlvReader reader = request.records();
    while (reader.next(record)) {
        abi::runtime::Publish wanted;
        if (record.tag != tag(Tag::publish))
            continue;
        base::Result<void> published = base::fail(abi::Error::bad_argument);
        if (record.value.size() == sizeof wanted) {
            std::memcpy(&wanted, record.value.data(), sizeof wanted);
            published = publish(*sandbox, wanted);
        }
        if (!published) {
            destroy(*sandbox);
            return base::fail(published.error() == abi::Error::exists ? abi::Error::denied : published.error());
        }
    }
    auto writer = request.writer();
    writer.number(tag(Tag::sandbox), sandbox->number());
    writer.number(tag(Tag::address), sandbox->network.address);
    writer.number(tag(Tag::mac), sandbox->network.mac);
    writer.number(tag(Tag::gateway), sandbox->network.gateway);
    writer.number(tag(Tag::name_server), sandbox->network.name_server);
    request.answer(writer);
    return {};
}

base::Result<void> Server::begin(native::ChannelRequest& request) {
    channel_->close_badge(request.badge(), request.session());
    destroy_all_of(request.badge());
    return removals_.answer_after(request.badge(), request);
}

base::Result<void> Server::add_layer(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    native::Owned memory = request.take_handle(0);
    if (!memory)
        return base::fail(abi::Error::bad_argument);
    TRY(sandbox->add_layer(std::move(memory)));
    request.answer();
    return {};
}

base::Result<void> Server::give_stream(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    const std::uint64_t index = TRY(request.number(Tag::stream));
    if (index >= Streams::count)
        return base::fail(abi::Error::bad_argument);
    const ring::Handles end = TRY(sandbox->streams().engine_end(index, sandbox->quota()));
    const native::ChannelRequest::Lent lent[] = {
        {end.memory, ring::Pair::memory_rights()}, {end.wait, ring::Pair::wait_rights}, {end.signal, ring::Pair::signal_rights}};
    request.answer(request.writer(), lent, true);
    return {};
}

base::Result<void> Server::start(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    // The records are the personality's to read: those that it knows are copied.
    base::Vector<std::byte> bytes;
    TRY(bytes.resize(abi::channel_buffer_bytes));
    abi::TlvWriter writer(bytes);
    abi::TlvReader reader = request.records();
    abi::TlvRecord record;
    while (reader.next(record))
        if (record.tag != tag(Tag::sandbox))
            writer.bytes(record.tag, record.value);
    if (!reader.ok() || !writer.ok())
        return base::fail(abi::Error::bad_argument);
    if (!sandbox->launched())
        TRY(launch(*sandbox, {}, writer.written()));
    if (sandbox->state() != Sandbox::State::idle)
        return base::fail(abi::Error::bad_state);
    sandbox->set_state(Sandbox::State::starting);
    if (auto sent = sandbox->send(abi::sandbox::Command::start, writer.written()); !sent) {
        sandbox->set_state(Sandbox::State::idle);
        return sent;
    }
    sandbox->pending_start = std::move(request);
    return {};
}

base::Result<void> Server::signal(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    if (sandbox->state() != Sandbox::State::running)
        return base::fail(abi::Error::bad_state);
    std::byte bytes[32];
    abi::TlvWriter writer(bytes);
    const std::uint64_t number = TRY(request.number(Tag::signal));
    if (number < 1 || number > abi::sandbox::last_signal)
        return base::fail(abi::Error::bad_argument);
    writer.number(tag(Tag::signal), number);
    const auto sent = sandbox->send(abi::sandbox::Command::signal, writer.written());
    // Also of one that reads no commands any more.
    if (number == abi::sandbox::signal_kill)
        sandbox->expect_exit();
    TRY(sent);
    request.answer();
    return {};
}

base::Result<void> Server::resize(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    std::byte bytes[64];
    abi::TlvWriter writer(bytes);
    writer.number(tag(Tag::rows), TRY(request.number(Tag::rows)));
    writer.number(tag(Tag::columns), TRY(request.number(Tag::columns)));
    TRY(sandbox->send(abi::sandbox::Command::resize, writer.written()));
    request.answer();
    return {};
}

base::Result<void> Server::update(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    TRY(sandbox->limit_processor(processor_limits(request)));
    request.answer();
    return {};
}

base::Result<void> Server::destroy(native::ChannelRequest& request) {
    Sandbox& sandbox = *TRY(find(request));
    destroy(sandbox, std::move(request));
    return {};
}

base::Result<void> Server::prepare_run(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    if (sandbox->state() != Sandbox::State::created && sandbox->state() != Sandbox::State::idle)
        return base::fail(abi::Error::bad_state);
    sandbox->streams().hang_up();
    sandbox->streams().reset();
    request.answer();
    return {};
}

base::Result<void> Server::next_event(native::ChannelRequest& request) {
    const std::uint64_t after = request.number(Tag::after, 0);
    if (!events_.empty() && events_.back().sequence > after) {
        answer_events(request, after);
        return {};
    }
    EventWaiter* const waiter = TRY(event_waiters_.emplace_back());
    waiter->request = std::move(request);
    waiter->after = after;
    return {};
}

base::Result<void> Server::node_info(native::ChannelRequest& request) {
    abi::QuotaInfo info{};
    // `node` is the root quota: its figures are the whole machine's.
    const abi::Handle node = native::granted("node");
    TRY(native::call::quota_inspect(node != abi::no_handle ? node : native::self().quota, info));
    auto writer = request.writer();
    writer.text(tag(Tag::version), THEMELIOS_VERSION);
    const auto number = [&](Tag name, std::uint64_t value) { writer.number(tag(name), value); };
    number(Tag::cpu_count, info.cpu_count);
    number(Tag::free_pages, info.free_pages);
    number(Tag::total_pages, info.total_pages);
    number(Tag::table_pages, info.table_pages);
    number(Tag::restarts, management_->restarts());
    number(Tag::sandbox_count, sandboxes_.size());
    number(Tag::monotonic, native::monotonic_nanoseconds());
    number(Tag::boot_nanoseconds, native::monotonic_nanoseconds());
    number(Tag::context_switches, info.context_switches);
    number(Tag::root_loads, info.root_loads);
    for (std::uint32_t cpu = 0; cpu < info.cpu_count; ++cpu) number(Tag::idle_wakeups, info.idle_wakeups[cpu]);
    for (std::size_t kind = 1; kind < std::size(kind_names); ++kind) {
        abi::runtime::ObjectCount count{};
        (void)std::string_view(kind_names[kind]).copy(count.kind, sizeof count.kind - 1);
        count.count = info.object_count[kind];
        writer.bytes(tag(Tag::object), std::as_bytes(std::span(&count, 1)));
    }
    writer.text(tag(Tag::warning), no_iommu);
    std::string_view warnings[Audit::most_warnings];
    Audit::Text texts[Audit::most_warnings];
    for (const std::string_view warning : std::span(warnings).first(audit_.warnings(warnings, texts)))
        writer.text(tag(Tag::warning), warning);
    missing_.each([&](const abi::runtime::MissingCall& call) { writer.bytes(tag(Tag::missing_call), std::as_bytes(std::span(&call, 1))); });
    request.answer(writer);
    return {};
}

base::Result<void> Server::node_log(native::ChannelRequest& request) {
    const abi::Handle reader = native::granted("log_reader");
    if (reader == abi::no_handle)
        return base::fail(abi::Error::not_supported);
    native::log::Client client(native::Caller{reader});
    auto writer = request.writer();
    std::uint64_t seen = request.number(Tag::after, 0);
    for (unsigned count = 0; count < abi::runtime::log_lines_at_once && seen != UINT64_MAX; ++count) {
        const auto read = client.read({seen + 1}, native::after_milliseconds(log_patience_milliseconds));
        if (!read && read.error() == abi::Error::not_found)
            break;
        if (!read)
            return base::fail(read.error());
        abi::runtime::LogLine line{read->number, read->nanoseconds, read->text_length, {}, {}};
        static_assert(sizeof line.writer > sizeof read->writer && sizeof line.text == sizeof read->text);
        std::memcpy(line.writer, read->writer.data(), sizeof read->writer);
        std::memcpy(line.text, read->text.data(), sizeof read->text);
        writer.bytes(tag(Tag::log_line), std::as_bytes(std::span(&line, 1)));
        seen = read->number;
    }
    request.answer(writer);
    return {};
}

void Server::answer_head(native::ChannelRequest& request, const Audit::Head& head) {
    auto writer = request.writer();
    writer.number(tag(Tag::audit_sequence), head.sequence);
    writer.bytes(tag(Tag::audit_digest), head.digest);
    request.answer(writer);
}

base::Result<void> Server::audit_head(native::ChannelRequest& request) {
    answer_head(request, TRY(audit_.head()));
    return {};
}

base::Result<void> Server::audit_seal(native::ChannelRequest& request) {
    answer_head(request, TRY(audit_.seal()));
    return {};
}

base::Result<void> Server::audit_read(native::ChannelRequest& request) {
    const logging::AuditView store = TRY(audit_.store());
    auto writer = request.writer();
    std::uint64_t seen = request.number(Tag::after, 0);
    const std::unique_ptr<abi::AuditBatch> batch(new (std::nothrow) abi::AuditBatch);
    if (!batch)
        return base::fail(abi::Error::no_memory);
    for (unsigned count = 0; count < abi::runtime::audit_batches_at_once && seen != UINT64_MAX && store.find(seen + 1, *batch); ++count) {
        writer.bytes(tag(Tag::audit_batch), std::as_bytes(std::span(batch.get(), 1)));
        seen = batch->sequence;
    }
    request.answer(writer);
    return {};
}

base::Result<void> Server::inspect(native::ChannelRequest& request) {
    Sandbox* const sandbox = TRY(find(request));
    // One that does not read its commands is not asked.
    if (sandbox->launched() && sandbox->state() != Sandbox::State::dead && !sandbox->pending_inspect && sandbox->send(abi::sandbox::Command::stats, {})) {
        sandbox->wait_for_stats(std::move(request));
        return {};
    }
    const abi::QuotaInfo info = TRY(sandbox->figures());
    auto writer = request.writer();
    writer.number(tag(Tag::memory_pages), info.used_pages);
    request.answer(writer);
    return {};
}

// Its own figures count for what only it knows; its memory is what the quota says.
void Server::on_stats(Sandbox& sandbox, abi::TlvReader records) {
    if (!sandbox.pending_inspect)
        return;
    auto request = std::move(sandbox.pending_inspect);
    auto writer = request.writer();
    if (const auto info = sandbox.figures())
        writer.number(tag(Tag::memory_pages), info->used_pages);
    abi::TlvRecord record;
    while (records.next(record))
        if (record.tag == tag(Tag::tasks) || record.tag == tag(Tag::cpu_nanoseconds) || record.tag == tag(Tag::received_bytes) || record.tag == tag(Tag::sent_bytes))
            writer.number(record.tag, record.number());
    request.answer(writer);
}

} // namespace runtime
