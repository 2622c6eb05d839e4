// Runtime: makes and ends sandboxes. The only server that launches personalities; it answers the channel `runtime` (abi/runtime.hpp) and the personalities' questions for
// their streams (abi/sandbox_control.abi), and asks switch for ports.
#pragma once
#include "abi/sandbox_control_server.hpp"
#include "lib/base/ref.hpp"
#include "lib/native/channel_server.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/root_image.hpp"
#include "servers/runtime/audit.hpp"
#include "servers/runtime/endings.hpp"
#include "servers/runtime/management.hpp"
#include "servers/runtime/missing_calls.hpp"
#include "servers/runtime/network.hpp"
#include "servers/runtime/removals.hpp"
#include "servers/runtime/sandbox.hpp"

#include <memory>
#include <optional>

namespace runtime {

class Server final : native::ChannelService, native::sandbox_control::Server, SandboxObserver {
public:
    // Errors: those of the kernel's calls; not_found where a handle is missing.
    base::Result<void> prepare();
    // Does not return but for an error of the port.
    base::Result<void> run() { return loop_.run(); }

    // For the management sandbox too.
    base::Result<Sandbox*> make_sandbox(const SandboxSettings& settings, std::uint32_t flows);
    // `start`: as Sandbox::launch has it.
    base::Result<void> launch(Sandbox& sandbox, std::span<const native::Grant> more = {}, std::span<const std::byte> start = {});
    // The sandbox is nobody's to name from here on; it goes once its process has ended, and `request`, which may be empty, is answered then.
    void destroy(Sandbox& sandbox, native::ChannelRequest request = {});
    base::Result<void> publish(Sandbox& sandbox, const abi::runtime::Publish& publish);
    // Ends all sessions of the management sandbox on the channel, as it does itself where it ends in order.
    void management_died() { channel_->close_badge(management_badge); }
    native::EventLoop& loop() { return loop_; }
    const native::RootImage& root() const { return *root_; }

private:
    static constexpr std::uint64_t management_badge = 1; // as the image file has it
    static constexpr std::size_t most_sandboxes = 512;
    static constexpr std::size_t kept_events = 1024;

    void on_request(native::ChannelRequest request) override;
    // The sandboxes of a client that is gone can be named by nobody any more: they go.
    void on_session_closed(std::uint64_t badge, std::uint64_t session, bool last) override;
    base::Result<native::sandbox_control::StreamReply> stream(std::uint64_t badge, const native::sandbox_control::StreamRequest& request) override;
    void discard(abi::Handle handle) override { (void)native::call::handle_close(handle); }

    void on_started(Sandbox& sandbox, std::uint64_t linux_error) override;
    void on_exited(Sandbox& sandbox, std::uint32_t status) override;
    void on_no_memory(Sandbox& sandbox) override;
    void on_crashed(Sandbox& sandbox) override;
    void on_start_late(Sandbox& sandbox) override;
    void on_stats_late(Sandbox& sandbox) override { on_stats(sandbox, abi::TlvReader({})); }
    void on_stats(Sandbox& sandbox, abi::TlvReader records) override;
    void on_missing_calls(Sandbox& sandbox, abi::TlvReader records) override;

    // --- requests.cpp: each answers or keeps the request, or returns the error to refuse it with
    base::Result<void> create(native::ChannelRequest& request);
    base::Result<void> add_layer(native::ChannelRequest& request);
    base::Result<void> give_stream(native::ChannelRequest& request);
    base::Result<void> start(native::ChannelRequest& request);
    base::Result<void> signal(native::ChannelRequest& request);
    base::Result<void> resize(native::ChannelRequest& request);
    base::Result<void> update(native::ChannelRequest& request);
    base::Result<void> destroy(native::ChannelRequest& request);
    base::Result<void> next_event(native::ChannelRequest& request);
    base::Result<void> node_info(native::ChannelRequest& request);
    base::Result<void> inspect(native::ChannelRequest& request);
    base::Result<void> prepare_run(native::ChannelRequest& request);
    base::Result<void> node_log(native::ChannelRequest& request);
    base::Result<void> begin(native::ChannelRequest& request);
    base::Result<void> audit_head(native::ChannelRequest& request);
    base::Result<void> audit_read(native::ChannelRequest& request);
    base::Result<void> audit_seal(native::ChannelRequest& request);
    static void answer_head(native::ChannelRequest& request, const Audit::Head& head);

    void destroy_all_of(std::uint64_t owner);
    base::Result<native::Owned> log_of(const Sandbox& sandbox);
    base::Result<Sandbox*> find(const native::ChannelRequest& request);
    Sandbox* find(std::uint64_t number);
    void add_event(abi::runtime::Event event, std::uint64_t sandbox, std::uint32_t detail);
    void answer_events(native::ChannelRequest& request, std::uint64_t after);

    native::EventLoop loop_;
    std::unique_ptr<native::RootImage> root_;
    std::unique_ptr<native::ChannelServer> channel_;
    std::unique_ptr<native::ProtocolEndpoint<native::sandbox_control::Server>> streams_endpoint_;
    std::unique_ptr<Management> management_;
    native::Owned streams_;      // endpoint that sandboxes call with their number as the badge
    native::Owned personality_;  // its ELF file
    std::uint64_t personality_bytes_ = 0;
    struct Clock {
        abi::Deadline after_milliseconds(std::uint64_t milliseconds) const { return native::after_milliseconds(milliseconds); }
    };
    std::optional<Network<native::Caller, Clock>> network_; // none where there is no switch
    std::uint64_t next_number_ = 1;
    Removals removals_;
    Audit audit_;
    Endings endings_;
    base::Vector<std::unique_ptr<Sandbox>> sandboxes_;
    base::Vector<abi::runtime::EventRecord> events_; // the last kept_events
    std::uint64_t next_sequence_ = 1;
    struct EventWaiter {
        native::ChannelRequest request;
        std::uint64_t after = 0;
    };
    base::Vector<EventWaiter> event_waiters_;
    MissingCalls missing_;
};

} // namespace runtime
