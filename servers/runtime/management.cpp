#include "servers/runtime/management.hpp"

#include "lib/native/clock.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "servers/runtime/server.hpp"

#include <algorithm>
#include <utility>

namespace runtime {

namespace {

constexpr std::uint32_t flow_management = 4, flow_uplink = 1;

std::uint32_t port_number(std::string_view text) {
    std::uint32_t value = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9' || value > 65535)
            return 0;
        value = value * 10 + static_cast<std::uint32_t>(digit - '0');
    }
    return value > 65535 ? 0 : value;
}

} // namespace

base::Result<void> Management::LogStream::attach(Server& server, Sandbox& sandbox, std::size_t index) {
    const ring::Handles end = TRY(sandbox.streams().engine_end(index, sandbox.quota()));
    const auto copy = [](abi::Handle handle) { return native::call::handle_duplicate(handle, 0, 0, abi::no_handle); };
    pair_ = TRY(ring::Pair::attach({TRY(copy(end.memory)), TRY(copy(end.wait)), TRY(copy(end.signal))}, abi::RingUse::bytes, ring::Side::b));
    TRY(server.loop().add(pair_.bell(), *this));
    on_event(0);
    return {};
}

void Management::LogStream::detach(Server& server) {
    if (pair_)
        server.loop().remove(pair_.bell());
    pair_ = {};
    used_ = 0;
}

// Its programs write for as long as they are read: after so many pieces others have their turn.
void Management::LogStream::on_event(std::uint64_t) {
    constexpr unsigned pieces_at_once = 32;
    std::byte bytes[512];
    for (unsigned piece = 0; piece < pieces_at_once; ++piece) {
        const auto count = pair_.in().read(bytes);
        if (!count || (*count == 0 && (pair_.in().must_wait() || pair_.in().ended())))
            return;
        pair_.wake_after_read();
        for (const std::byte byte : std::span(bytes).first(*count)) {
            const char character = static_cast<char>(byte);
            if (character == '\n' || used_ == line_.size()) {
                native::write_line(native::granted("management_log"), std::string_view(line_.data(), used_));
                used_ = 0;
            }
            if (character != '\n')
                line_[used_++] = character;
        }
    }
    pair_.ring_own_bell();
}

base::Result<void> Management::start() {
    if (native::argument("management").empty())
        return {};
    auto started = make();
    if (started)
        started = start_program();
    if (started || started.error() != abi::Error::timed_out)
        return started;
    // The switch may answer later.
    drop();
    on_ended();
    return {};
}

base::Result<void> Management::make() {
    SandboxSettings settings;
    constexpr std::string_view name = "management";
    settings.hostname[name.copy(settings.hostname, sizeof settings.hostname - 1)] = 0;
    sandbox_ = TRY(server_.make_sandbox(settings, flow_management | flow_uplink));
    auto file = TRY(server_.root().file(native::argument("management")));
    TRY(sandbox_->add_layer(std::move(file.memory)));
    base::Vector<native::Grant> grants;
    for (const std::string_view channel : {"channel.runtime", "channel.store"})
        if (const abi::Handle handle = native::granted(channel); handle != abi::no_handle)
            TRY(grants.push_back({channel, handle, abi::right::send | abi::right::inspect}));
    TRY(server_.launch(*sandbox_, {grants.data(), grants.size()}));
    if (const std::uint32_t port = port_number(native::argument("management_port")); port != 0 && sandbox_->network.number != 0)
        TRY(server_.publish(*sandbox_, {6, static_cast<std::uint16_t>(port), static_cast<std::uint16_t>(port)}));
    return {};
}

// Not out of the sandbox' own events.
void Management::drop() {
    for (LogStream& stream : output_)
        stream.detach(server_);
    if (Sandbox* const gone = std::exchange(sandbox_, nullptr))
        server_.destroy(*gone);
}

base::Result<void> Management::start_program() {
    ++starts_;
    started_ = native::monotonic_nanoseconds();
    for (LogStream& stream : output_)
        stream.detach(server_);
    sandbox_->streams().reset();
    for (std::size_t i = 0; i < 2; ++i)
        TRY(output_[i].attach(server_, *sandbox_, i + 1));
    std::byte bytes[512];
    abi::TlvWriter writer(bytes);
    using abi::runtime::Tag;
    std::string_view rest = native::argument("management_program", "/bin/init");
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        writer.text(static_cast<std::uint16_t>(Tag::argument), rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    writer.text(static_cast<std::uint16_t>(Tag::environment), "PATH=/bin");
    if (!writer.ok())
        return base::fail(abi::Error::too_large);
    sandbox_->set_state(Sandbox::State::starting);
    return sandbox_->send(abi::sandbox::Command::start, writer.written());
}

void Management::on_ended() {
    const std::uint64_t now = native::monotonic_nanoseconds();
    if (now - started_ >= good_run)
        pause_ = first_pause;
    server_.loop().set_timer(*this, now + pause_);
    pause_ = std::min(2 * pause_, longest_pause);
}

void Management::on_time() {
    base::Result<void> started;
    if (sandbox_ == nullptr || sandbox_->state() == Sandbox::State::dead) {
        drop();
        started = make();
    }
    if (started)
        started = start_program();
    if (started)
        return;
    native::print("the management sandbox cannot start: ", native::error_name(started.error()));
    drop();
    on_ended();
}

} // namespace runtime
