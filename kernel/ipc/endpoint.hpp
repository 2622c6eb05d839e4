// Endpoint: where synchronous calls meet their server.
#pragma once
#include <cstdint>

#include "kernel/ipc/port.hpp"
#include "kernel/thread/reply.hpp"
#include "kernel/thread/thread_queue.hpp"

namespace kernel {

class Thread;

// One lock and two queues, of which at most one is not empty: callers that no server took yet, and servers that no caller came for. The call and receive
// interface does not show the queues, so that they can become one per CPU.
class Endpoint final : public PortSource {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::endpoint;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::send |
                                          abi::right::receive | abi::right::bind;

    Endpoint() : PortSource(object_kind) {}

    // The current thread's call: message and answer lie in its registers and page. Errors: as ipc_call.
    base::Result<void> call(Thread& caller, const LeaseHold& hold, std::uint64_t badge, abi::Deadline deadline);

    // Takes a caller's message into the current thread. Errors: as ipc_receive.
    base::Result<void> receive(Thread& server, const LeaseHold& hold, abi::Deadline deadline);

private:
    std::uint64_t take_event(bool& again) override;
    void on_receivers_gone() override;

    bool has_server() const { return receivers() > 0; }
    base::Result<void> call_prepared(Thread& caller, const LeaseHold& hold, abi::Deadline deadline);
    // Hands the caller's message to the server: capabilities, words, and the Reply as the last step that can fail. The caller waits and cannot go on before it is answered:
    // either it is the current thread, or lock_ is held. Where it fails, the caller of this takes `handles` back. Errors: no_slots, no_memory, revoked.
    base::Result<void> deliver(Thread& caller, Thread& server, abi::Handle (&handles)[abi::message_handles]);

    SpinLock lock_;
    ThreadQueue callers_;
    ThreadQueue servers_;
};

} // namespace kernel
