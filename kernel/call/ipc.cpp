// Calls on endpoints, replies, notifications and ports.
#include <algorithm>

#include "kernel/call/calls.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/ipc/notification.hpp"
#include "kernel/ipc/port.hpp"

namespace kernel {

namespace {

// Answers the Reply in `handle` with the message of the current thread and uses it up. Errors: as ipc_reply.
base::Result<void> answer(Thread& server, abi::Handle handle) {
    if (handle == abi::current_reply) {
        if (!server.current_reply()) return std::unexpected(abi::Error::bad_handle);
        MessageCapabilities capabilities;
        TRY(capabilities.collect(server, server.registers().rsi));
        const base::Ref<Reply> reply = std::move(server.current_reply());
        return reply->answer(server, capabilities);
    }
    auto reply = TRY(lookup<Reply>(server, handle, 0));
    MessageCapabilities capabilities;
    TRY(capabilities.collect(server, server.registers().rsi));
    auto result = reply->answer(server, capabilities);
    // A racing close may have emptied the slot already: the answer is given all the same.
    (void)server.process().handles().close(handle);
    return result;
}

// For the short ways: after a look-up that found an Endpoint with the right that they ask for.
void remember(Thread& thread, abi::Handle handle, const Held<Endpoint>& found, Exchange::Known& known) {
    if (known.slot->handle.load(std::memory_order_relaxed) == handle) [[likely]] return;
    known = {&thread.process().handles().slot(handle), found.object, found.badge, found.hold};
}

base::Result<void> receive(Thread& server, std::uint64_t endpoint_handle, abi::Deadline deadline, Exchange::Kind kind) {
    auto endpoint = TRY(lookup<Endpoint>(server, endpoint_handle, abi::right::receive));
    remember(server, endpoint_handle, endpoint, server.exchange().receives);
    return endpoint->receive(server, endpoint.hold, deadline, kind);
}

} // namespace

base::Result<std::uint64_t> call_endpoint_create(Thread& caller, Held<Quota> quota) {
    return give(caller, TRY(make_object<Endpoint>(*quota)), Endpoint::rights);
}

// The four calls with registers of their own: rdi handle, rsi tag, rbx deadline, words in rdx, r10, r8, r9, r12 to r15.
base::Result<void> ipc_call(Thread& caller) {
    const UserRegisters& registers = caller.registers();
    auto endpoint = TRY(lookup<Endpoint>(caller, registers.rdi, abi::right::send));
    auto result = endpoint->call(caller, endpoint.hold, endpoint.badge, registers.rbx);
    // Not before there is a Reply. Where the wait was left to end_exchange(), it is at the Endpoint that is known already.
    if (result) remember(caller, registers.rdi, endpoint, caller.exchange().sends);
    return result;
}

base::Result<void> ipc_receive(Thread& caller) {
    return receive(caller, caller.registers().rdi, caller.registers().rbx, Exchange::Kind::receive);
}

base::Result<void> ipc_reply(Thread& caller) { return answer(caller, caller.registers().rdi); }

base::Result<void> ipc_reply_receive(Thread& caller) {
    const UserRegisters& registers = caller.registers();
    const std::uint64_t endpoint = registers.rdi;
    const abi::Deadline deadline = registers.rbx;
    const abi::Handle reply = __atomic_load_n(&caller.page().reserved[0], __ATOMIC_RELAXED);
    if (reply != abi::no_handle) {
        auto answered = answer(caller, reply);
        if (!answered && answered.error() != abi::Error::peer_closed) return answered;
        caller.page().reserved[0] = abi::no_handle;
    }
    (void)caller.drop_current_reply();
    return receive(caller, endpoint, deadline, Exchange::Kind::reply_receive);
}

base::Result<std::uint64_t> call_notification_create(Thread& caller, Held<Quota> quota) {
    return give(caller, TRY(make_object<Notification>(*quota)), Notification::rights);
}

base::Result<std::uint64_t> call_notification_signal(Thread&, Held<Notification> notification, std::uint64_t bits) {
    notification->signal(bits | notification.badge);
    return 0;
}

base::Result<std::uint64_t> call_notification_wait(Thread& caller, Held<Notification> notification, abi::Deadline deadline) {
    return notification->wait(caller, notification.hold, deadline);
}

base::Result<std::uint64_t> call_port_create(Thread& caller, Held<Quota> quota) {
    return give(caller, TRY(make_object<Port>(*quota)), Port::rights);
}

base::Result<std::uint64_t> call_port_bind(Thread&, Held<Port> port, Held<Object> source, std::uint64_t key) {
    const abi::ObjectKind kind = source->kind();
    if (kind != abi::ObjectKind::notification && kind != abi::ObjectKind::endpoint) return std::unexpected(abi::Error::wrong_kind);
    PortSource& bound = static_cast<PortSource&>(*source);
    if (!source.valid()) return std::unexpected(abi::Error::revoked);
    if (key == UINT64_MAX) {
        bound.unbind();
    } else {
        TRY(bound.bind(std::move(port.object), key, source.hold));
    }
    return 0;
}

base::Result<std::uint64_t> call_port_wait(Thread& caller, Held<Port> port, UserBytes events, abi::Deadline deadline) {
    constexpr std::size_t batch = 32;
    const std::size_t room = std::min<std::uint64_t>(events.length / sizeof(abi::PortEvent), batch);
    if (room == 0) return std::unexpected(abi::Error::bad_argument);
    abi::PortEvent found[batch];
    // Events that were taken cannot be put back, so the place for them is tried first.
    TRY(check_writable(caller, events.address, room * sizeof(abi::PortEvent)));
    if (!port.valid()) return std::unexpected(abi::Error::revoked); // the try may have slept
    const std::size_t count = TRY(port->wait(caller, port.hold, {found, room}, deadline));
    TRY(copy_to_user(caller, events.address, found, count * sizeof(abi::PortEvent)));
    return count;
}

} // namespace kernel
