#include "servers/runtime/server.hpp"

#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

#include <new>

namespace runtime {

namespace {

constexpr std::string_view personality_path = "/bin/personality";

} // namespace

base::Result<void> Server::prepare() {
    loop_ = TRY(native::EventLoop::create());
    TRY(removals_.prepare(loop_));
    TRY(endings_.prepare(removals_.bell()));
    root_.reset(new (std::nothrow) native::RootImage(TRY(native::RootImage::open(TRY(native::require("root_image"))))));
    const abi::Handle channel = TRY(native::require("runtime"));
    channel_.reset(new (std::nothrow) native::ChannelServer(channel, *this));
    streams_ = TRY(native::own(native::call::endpoint_create(native::self().quota)));
    streams_endpoint_.reset(new (std::nothrow) native::ProtocolEndpoint<native::sandbox_control::Server>(streams_.get(), *this, native::sandbox_control::serve));
    management_.reset(new (std::nothrow) Management(*this));
    if (!root_ || !channel_ || !streams_endpoint_ || !management_)
        return base::fail(abi::Error::no_memory);
    auto program = TRY(root_->file(personality_path));
    personality_ = std::move(program.memory);
    personality_bytes_ = program.size;
    if (const abi::Handle handle = native::granted("switch"); handle != abi::no_handle)
        network_.emplace(native::Caller{handle}, Clock{});
    TRY(loop_.add(channel, *channel_));
    TRY(loop_.add(streams_.get(), *streams_endpoint_));
    return management_->start();
}

base::Result<Sandbox*> Server::make_sandbox(const SandboxSettings& settings, std::uint32_t flows) {
    if (sandboxes_.size() + removals_.size() >= most_sandboxes)
        return base::fail(abi::Error::no_slots);
    std::unique_ptr<Sandbox> sandbox(new (std::nothrow) Sandbox(next_number_, settings, loop_, endings_, *this));
    if (!sandbox)
        return base::fail(abi::Error::no_memory);
    TRY(sandbox->prepare());
    if (flows != 0 && network_) {
        const auto port = TRY(network_->create(flows));
        sandbox->network = {port.port, port.mac, port.address, port.gateway, port.name_server, {port.ring, port.wait, port.signal}};
    }
    Sandbox* const made = sandbox.get();
    if (auto kept = sandboxes_.push_back(std::move(sandbox)); !kept)
        return base::fail(kept.error());
    ++next_number_;
    return made;
}

base::Result<void> Server::launch(Sandbox& sandbox, std::span<const native::Grant> more, std::span<const std::byte> start) {
    base::Vector<native::Grant> grants;
    TRY(grants.append(more));
    const auto give = [&](std::string_view name, abi::Rights rights) -> base::Result<void> {
        if (const abi::Handle handle = native::granted(name); handle != abi::no_handle)
            return grants.push_back({name, handle, rights});
        return {};
    };
    TRY(give("entropy", abi::right::send | abi::right::inspect));
    TRY(give("clock", abi::right::read | abi::right::map | abi::right::inspect));
    const native::Owned log = TRY(log_of(sandbox));
    if (log)
        TRY(grants.push_back({"log", log.get(), abi::right::send | abi::right::inspect}));
    const auto streams = TRY(native::own(native::call::handle_duplicate(streams_.get(), 0, sandbox.number(), abi::no_handle)));
    TRY(grants.push_back({"control.streams", streams.get(), abi::right::send | abi::right::inspect}));
    TRY(sandbox.launch(personality_.get(), personality_bytes_, {grants.data(), grants.size()}, start));
    // The network port's capabilities are the personality's now.
    for (abi::Handle* handle : {&sandbox.network.ring.memory, &sandbox.network.ring.wait, &sandbox.network.ring.signal})
        if (*handle != abi::no_handle)
            (void)native::call::handle_close(std::exchange(*handle, abi::no_handle));
    return {};
}

// What a sandbox writes appears in its own name: the badge is its number, and that of the management sandbox was set by init. Empty where this program may give none.
base::Result<native::Owned> Server::log_of(const Sandbox& sandbox) {
    const bool named = management_->is(sandbox);
    const abi::Handle log = native::granted(named ? "management_log" : "sandbox_log");
    if (log == abi::no_handle)
        return native::Owned();
    return native::own(native::duplicate(log, 0, named ? 0 : sandbox.number()));
}

void Server::on_session_closed(std::uint64_t badge, std::uint64_t session, bool last) {
    for (std::size_t i = event_waiters_.size(); i-- > 0;)
        if (event_waiters_[i].request.session() == session)
            event_waiters_.erase(i);
    if (last)
        destroy_all_of(badge);
}

void Server::destroy_all_of(std::uint64_t owner) {
    for (std::size_t i = sandboxes_.size(); i-- > 0;)
        if (sandboxes_[i]->owner == owner)
            destroy(*sandboxes_[i]);
}

void Server::destroy(Sandbox& sandbox, native::ChannelRequest request) {
    sandbox.pending_start.refuse(abi::Error::canceled, "the sandbox was removed");
    sandbox.pending_inspect.refuse(abi::Error::canceled, "the sandbox was removed");
    const NetworkPort network = sandbox.network;
    std::unique_ptr<Sandbox> gone;
    for (std::size_t i = 0; i < sandboxes_.size(); ++i)
        if (sandboxes_[i].get() == &sandbox) {
            gone = std::move(sandboxes_[i]);
            sandboxes_.erase(i);
            break;
        }
    for (const abi::Handle handle : {network.ring.memory, network.ring.wait, network.ring.signal})
        if (handle != abi::no_handle)
            (void)native::call::handle_close(handle);
    if (network.number != 0)
        network_->destroy(network.number);
    removals_.take(std::move(gone), std::move(request));
}

base::Result<void> Server::publish(Sandbox& sandbox, const abi::runtime::Publish& publish) {
    if (sandbox.network.number == 0)
        return base::fail(abi::Error::bad_state);
    return network_->publish({sandbox.network.number, publish.protocol, publish.node_port, publish.sandbox_port});
}

Sandbox* Server::find(std::uint64_t number) {
    for (const auto& sandbox : sandboxes_)
        if (sandbox->number() == number)
            return sandbox.get();
    return nullptr;
}

// Only sandboxes that the channel's clients made; the management sandbox is nobody's to name.
base::Result<Sandbox*> Server::find(const native::ChannelRequest& request) {
    Sandbox* const sandbox = find(TRY(request.number(abi::runtime::Tag::sandbox)));
    if (sandbox == nullptr || management_->is(*sandbox))
        return base::fail(abi::Error::not_found);
    return sandbox;
}

base::Result<native::sandbox_control::StreamReply> Server::stream(std::uint64_t badge, const native::sandbox_control::StreamRequest& request) {
    Sandbox* const sandbox = find(badge);
    if (sandbox == nullptr || request.index >= Streams::count)
        return base::fail(abi::Error::bad_argument);
    const ring::Handles end = TRY(sandbox->streams().sandbox_end(request.index));
    return native::sandbox_control::StreamReply{end.memory, end.wait, end.signal};
}

void Server::on_started(Sandbox& sandbox, std::uint64_t linux_error) {
    if (management_->is(sandbox)) {
        if (linux_error != 0)
            native::print("the management program cannot be executed: errno ", linux_error);
        return;
    }
    if (!sandbox.pending_start)
        return;
    auto request = std::move(sandbox.pending_start);
    auto writer = request.writer();
    writer.number(static_cast<std::uint16_t>(abi::runtime::Tag::linux_error), linux_error);
    request.answer(writer);
}

void Server::on_exited(Sandbox& sandbox, std::uint32_t status) {
    if (management_->is(sandbox)) {
        native::print("the management program ended with wait status ", status);
        management_->on_ended();
        return;
    }
    add_event(abi::runtime::Event::exited, sandbox.number(), status);
}

void Server::on_no_memory(Sandbox& sandbox) {
    if (management_->is(sandbox))
        native::print("the management sandbox has no memory left; it ended a program");
    else
        add_event(abi::runtime::Event::no_memory, sandbox.number(), 0);
}

void Server::on_crashed(Sandbox& sandbox) {
    sandbox.pending_start.refuse(abi::Error::peer_closed, "the sandbox's personality ended");
    sandbox.pending_inspect.refuse(abi::Error::peer_closed);
    if (management_->is(sandbox)) {
        management_died();
        management_->on_ended();
    } else
        add_event(abi::runtime::Event::crashed, sandbox.number(), 0);
}

void Server::on_start_late(Sandbox& sandbox) {
    sandbox.pending_start.refuse(abi::Error::timed_out, "the sandbox's personality did not start the program in time");
}

void Server::on_missing_calls(Sandbox& sandbox, abi::TlvReader records) {
    abi::TlvRecord record;
    for (unsigned count = 0; count < abi::sandbox::missing_calls_at_once && records.next(record); ++count) {
        abi::runtime::MissingCall call;
        if (record.tag != static_cast<std::uint16_t>(abi::runtime::Tag::missing_call) || record.value.size() != sizeof call)
            continue;
        std::memcpy(&call, record.value.data(), sizeof call);
        missing_.note(sandbox.number(), call.number, call.count, sandbox.missing_calls);
    }
}

void Server::add_event(abi::runtime::Event event, std::uint64_t sandbox, std::uint32_t detail) {
    if (events_.size() >= kept_events)
        events_.erase(0);
    (void)events_.push_back({next_sequence_++, sandbox, static_cast<std::uint32_t>(event), detail, native::realtime_nanoseconds()});
    base::Vector<EventWaiter> waiters = std::move(event_waiters_);
    event_waiters_ = {};
    for (EventWaiter& waiter : waiters)
        if (waiter.request.wanted())
            answer_events(waiter.request, waiter.after);
}

void Server::answer_events(native::ChannelRequest& request, std::uint64_t after) {
    constexpr unsigned most_at_once = 256;
    auto writer = request.writer();
    unsigned count = 0;
    for (const abi::runtime::EventRecord& event : events_)
        if (event.sequence > after && count++ < most_at_once)
            writer.bytes(static_cast<std::uint16_t>(abi::runtime::Tag::event), std::as_bytes(std::span(&event, 1)));
    request.answer(writer);
}

} // namespace runtime
