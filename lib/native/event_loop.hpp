// The loop of a server: one thread, one port, a handler for every endpoint and notification.
#pragma once
#include "abi/info.hpp"
#include "lib/base/vector.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/port.hpp"
#include "lib/native/timers.hpp"

namespace native {

class EventHandler {
public:
    // Bits of a notification; 1 for an endpoint with callers. May come without a reason.
    virtual void on_event(std::uint64_t bits) = 0;

protected:
    ~EventHandler() = default;
};

class EventLoop {
public:
    static base::Result<EventLoop> create() {
        EventLoop loop;
        loop.port_ = TRY(Port::create());
        return loop;
    }

    // The handler is called for events of `source` (needs `bind`) until it is removed. Where another port has the source, as that of a server that died and that this one
    // replaces, this loop gets it. Errors: as port_bind, but exists; no_memory.
    base::Result<void> add(abi::Handle source, EventHandler& handler);
    // No event of `source` comes any more, also none that was already taken. The source may be closed already.
    void remove(abi::Handle source);

    // Handles events until `stop`. Errors: as port_wait, but timed_out.
    base::Result<void> run();
    // run() calls the timer once the deadline has passed, which is then set no more. abi::never: it does not call it; so it is to be set before the timer goes.
    using Timer = native::Timer;
    void set_timer(Timer& timer, abi::Deadline deadline) { timers_.set(timer, deadline); }
    void stop() { stopped_ = true; }

private:
    struct Slot {
        abi::Handle source = abi::no_handle;
        EventHandler* handler = nullptr;
    };
    Port port_;
    base::Vector<Slot> slots_;
    Timers timers_;
    bool stopped_ = false;
};

// An endpoint whose calls are answered at once, by a generated protocol skeleton:
//   ProtocolEndpoint endpoint(handle, server, native::time::serve);
template <class Server> class ProtocolEndpoint final : public EventHandler {
public:
    using Serve = void (*)(Server&, std::uint64_t badge, Message&);
    ProtocolEndpoint(abi::Handle endpoint, Server& server, Serve serve) : endpoint_(endpoint), server_(server), serve_(serve) {}

    void on_event(std::uint64_t) override {
        Message message;
        for (unsigned count = 0; count < messages_at_once; ++count) {
            auto incoming = receive(endpoint_, message, abi::poll);
            if (!incoming)
                return;
            serve_(server_, incoming->badge, message);
            (void)answer(incoming->reply, message);
        }
    }
    // For a server with nothing else to wait for. Returns when the endpoint can no longer be received from.
    base::Error run() {
        Message message;
        auto incoming = receive(endpoint_, message);
        while (incoming || incoming.error() == abi::Error::canceled) {
            if (!incoming) {
                incoming = receive(endpoint_, message);
                continue;
            }
            serve_(server_, incoming->badge, message);
            incoming = answer_and_receive(incoming->reply, endpoint_, message);
        }
        return incoming.error();
    }

private:
    abi::Handle endpoint_;
    Server& server_;
    Serve serve_;
};

} // namespace native
