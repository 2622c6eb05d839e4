// Messages over endpoints: the transport under the generated clients and servers. Words 0 to 7 of a native::Message travel in registers, the rest and the
// capabilities in the calling thread's ThreadPage; these functions copy both ways, so a Message is independent of what the thread does next.
#pragma once
#include <cstdint>

#include "abi/thread_page.hpp"
#include "lib/base/result.hpp"
#include "native/message.hpp"

namespace native {

// Sends `message` and replaces it by the reply, whose number is 0 or the server's abi::Error. Errors: as ipc_call.
base::Result<void> send_call(abi::Handle endpoint, Message& message, abi::Deadline deadline = abi::never);

// The transport of the generated clients: `native::time::Client client(Caller{endpoint});`. Does not own the endpoint.
struct Caller {
    abi::Handle endpoint;
    base::Result<void> call(Message& message, abi::Deadline deadline) const { return send_call(endpoint, message, deadline); }
};

// What a server gets with a request. `reply` is the one-shot Reply: answered, closed (the caller gets peer_closed) or kept for later.
struct Incoming {
    abi::Handle reply;
    std::uint64_t badge;
};
// Errors: as ipc_receive; timed_out when the deadline is abi::poll and nobody waits, or whose message died: a port tells of the others.
base::Result<Incoming> receive(abi::Handle endpoint, Message& message, abi::Deadline deadline = abi::never);
// So many a server takes of one endpoint before others have their turn: threads enough keep an endpoint busy for ever. Its port reports it again while callers wait.
inline constexpr unsigned messages_at_once = 16;

// Answers and uses the Reply up. A client that is gone is no failure. A message that cannot be sent closes the Reply, so that nobody waits for ever.
base::Result<void> answer(abi::Handle reply, const Message& message);
// As answer, for who made something that is the client's alone: where the client is gone, peer_closed.
base::Result<void> deliver(abi::Handle reply, const Message& message);

// Both in one kernel call. `reply` may be no_handle.
base::Result<Incoming> answer_and_receive(abi::Handle reply, abi::Handle endpoint, Message& message, abi::Deadline deadline = abi::never);

// A refusal: an error without words.
inline void set_error(Message& message, abi::Error error) { message.tag = abi::make_tag(static_cast<std::uint32_t>(error), 0, 0); }

// Closes all capabilities that came with a message.
void close_handles(const Message& message);

} // namespace native
