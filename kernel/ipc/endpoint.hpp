// Endpoint: where synchronous calls meet their server.
#pragma once
#include <cstdint>

#include "kernel/ipc/port.hpp"
#include "kernel/thread/reply.hpp"
#include "kernel/thread/thread.hpp"
#include "kernel/thread/thread_queue.hpp"

namespace kernel {

// One lock and two queues, of which at most one is not empty: callers that no server took yet, and servers that no caller came for. The call and receive
// interface does not show the queues, so that they can become one per CPU.
class Endpoint final : public PortSource {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::endpoint;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::send |
                                          abi::right::receive | abi::right::bind;

    Endpoint() : PortSource(object_kind) {}

    // The current thread's call: message and answer lie in its registers and page. May leave the wait for the answer to end_exchange(). Errors: as ipc_call.
    base::Result<void> call(Thread& caller, const LeaseHold& hold, std::uint64_t badge, abi::Deadline deadline);

    // Takes a caller's message into the current thread; `kind` says what for a Reply comes with it: a slot (receive), or current_reply (reply_receive). May leave the wait to
    // end_exchange(). Errors: as ipc_receive.
    base::Result<void> receive(Thread& server, const LeaseHold& hold, abi::Deadline deadline, Exchange::Kind kind);

    // Waits for the end of the exchange that call() or receive() left, if there is one. Called with nothing on the stack that must be undone: whoever ends the wait may send the
    // thread to user mode from there. Errors: as ipc_call, ipc_receive.
    static base::Result<void> end_exchange(Thread& thread);

    // The short ways, for messages of register words alone, or with one capability beside them, between two threads of one processor: claims the partner's wait, hands it the processor, and gives its frame.
    // False, and nothing done, where anything is not as usual. With true the processor is the partner's and its queue's lock is held. Not analysed: they leave the lock of the
    // queue to the caller, and the endpoint's own stands for that of a Reply that nobody else has.
    template <bool with_capability> static bool call_directly(Task& self, abi::Handle handle, std::uint64_t& badge) BASE_NO_THREAD_SAFETY_ANALYSIS;
    static bool reply_receive_directly(Task& self, abi::Handle handle) BASE_NO_THREAD_SAFETY_ANALYSIS;

private:
    std::uint64_t take_event(bool& again) override;
    bool on_receivers_gone() override;

    bool has_server() const { return receivers() > 0; }
    // Queues the caller or hands its message over. Errors: as call().
    base::Result<void> begin_call(Thread& caller, const LeaseHold& hold, abi::Deadline deadline);
    // What a caller's wait ended with.
    base::Result<void> end_call(Thread& caller, std::int32_t outcome);
    // Takes a message, or queues the server, which then waits: true.
    base::Result<bool> begin_receive(Thread& server, const LeaseHold& hold, abi::Deadline deadline);
    // What a server's wait ended with; true where it has to begin again.
    base::Result<bool> end_receive(Thread& server, std::int32_t outcome);
    // Whether the wait of this exchange may be left to end_exchange(), which has to find the Endpoint.
    bool leave_exchange(Thread& thread, Exchange::Kind kind, const LeaseHold& hold, abi::Deadline deadline);
    // The server that is to take the next message, out of the queue and its wait claimed; or null. `more` as for ThreadQueue::claim_first.
    Thread* claim_server(bool& more) BASE_REQUIRES(lock_);
    // Lets a server that waits in an exchange be the next, if it still waits and none is.
    void serve_next(Thread& server);
    // Hands the caller's message to the server: capabilities, words, and the Reply as the last step that can fail. The caller waits and cannot go on before it is answered:
    // either it is the current thread, or lock_ is held. Where it fails, the caller of this takes `handles` back. Errors: no_slots, no_memory, revoked.
    base::Result<void> deliver(Thread& caller, Thread& server, abi::Handle (&handles)[abi::message_handles]);

    SpinLock lock_{LockRank::endpoint};
    ThreadQueue callers_ BASE_GUARDED_BY(lock_);
    ThreadQueue servers_ BASE_GUARDED_BY(lock_);
    // One more server, the first to get a message. It waits in an exchange of the kind reply_receive for this Endpoint, has no Reply, and finds abi::current_reply in its page.
    Thread* next_server_ BASE_GUARDED_BY(lock_) = nullptr;
};

} // namespace kernel
