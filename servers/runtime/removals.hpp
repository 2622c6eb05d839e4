// Sandboxes on their way out. A sandbox may hold thousands of threads and spaces, which go step by step in the kernel; nobody else waits for that.
#pragma once
#include "lib/native/channel_server.hpp"
#include "lib/native/event_loop.hpp"
#include "lib/native/port.hpp"
#include "servers/runtime/sandbox.hpp"

#include <memory>

namespace runtime {

class Removals final : native::EventHandler {
public:
    // Errors: those of the calls.
    base::Result<void> prepare(native::EventLoop& loop);

    // Ends the sandbox' processes. The sandbox goes once they are gone, at once where there are none, and `request`, which may be empty, is answered then.
    void take(std::unique_ptr<Sandbox> sandbox, native::ChannelRequest request);
    // Answers once no sandbox of this owner is on its way out. Errors: no_memory, and the request is as it was.
    base::Result<void> answer_after(std::uint64_t owner, native::ChannelRequest& request);
    // To be signalled where one of them may have ended.
    abi::Handle bell() const { return bell_.handle(); }
    std::size_t size() const { return removals_.size(); }

private:
    struct Removal {
        std::unique_ptr<Sandbox> sandbox;
        native::ChannelRequest request;
    };
    struct Waiter {
        std::uint64_t owner = 0;
        native::ChannelRequest request;
    };
    void on_event(std::uint64_t bits) override;
    bool any_of(std::uint64_t owner) const;

    native::Notification bell_;
    base::Vector<Removal> removals_;
    base::Vector<Waiter> waiters_;
};

} // namespace runtime
