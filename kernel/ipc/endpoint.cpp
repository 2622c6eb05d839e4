#include "kernel/ipc/endpoint.hpp"

#include <utility>

#include "kernel/arch/relax.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/thread/thread.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// The outcome of a server's wait whose message could not be delivered after all.
constexpr std::int32_t wait_again = 1;

std::int32_t negative(abi::Error error) { return -static_cast<std::int32_t>(error); }

// Widens the gap between a Reply that can be used already and the copy behind it.
void linger() {
    for (int i = 0; i < 20'000; ++i) arch::relax();
}

} // namespace

Thread* Endpoint::claim_server(bool& more) {
    more = false;
    Thread* const next = std::exchange(next_server_, nullptr);
    return next && next->wait_state().claim() ? next : servers_.claim_first(more);
}

void Endpoint::serve_next(Thread& server) {
    LockGuard guard(lock_);
    if (next_server_ || server.queue != &servers_) return;
    servers_.remove(server);
    next_server_ = &server;
    server.page().reserved[0] = abi::current_reply;
}

// The Reply goes into the table last. From then on any thread of the server's process can use it, by guessing its handle if need be: the caller may be answered, run on and end,
// and nothing of it may be touched here.
base::Result<void> Endpoint::deliver(Thread& caller, Thread& server, abi::Handle (&handles)[abi::message_handles]) {
    TRY(caller.call().capabilities.install(caller.process(), server, handles));
    if (server.exchange().takes_current_reply) {
        copy_message(caller, server, handles);
        server.registers().rbx = caller.call().badge;
        server.current_reply() = caller.call().reply;
        server.page().reserved[0] = abi::current_reply;
        return {};
    }
    Capability capability;
    capability.object = caller.call().reply;
    capability.rights = Reply::rights;
    if (base::weakened(base::Weakness::reply_last)) {
        server.page().reserved[0] = TRY(server.process().handles().insert(std::move(capability)));
        linger();
        copy_message(caller, server, handles);
        server.registers().rbx = caller.call().badge;
        return {};
    }
    copy_message(caller, server, handles);
    server.registers().rbx = caller.call().badge;
    const auto reply = server.process().handles().insert(std::move(capability));
    if (!reply) {
        caller.call().capabilities.record_taken_back(caller.process(), server, handles);
        return std::unexpected(reply.error());
    }
    server.page().reserved[0] = *reply;
    return {};
}

bool Endpoint::leave_exchange(Thread& thread, Exchange::Kind kind, const LeaseHold& hold, abi::Deadline deadline) {
    // A deadline has its link in the scheduler; a thread that single-steps does not return by SYSRET.
    Exchange& exchange = thread.exchange();
    const Exchange::Known& known = kind == Exchange::Kind::call ? exchange.sends : exchange.receives;
    if (deadline != abi::never || known.endpoint.get() != this || !arch::returns_by_sysret(thread.registers())) return false;
    if (hold.lease) thread.wait_under(hold);
    exchange.kind = kind;
    return true;
}

base::Result<void> Endpoint::end_exchange(Thread& thread) {
    Exchange& exchange = thread.exchange();
    while (exchange.kind != Exchange::Kind::none) {
        const bool leased = thread.waits_under_lease();
        const std::int32_t outcome = thread.wait(abi::never);
        const Exchange::Kind kind = std::exchange(exchange.kind, Exchange::Kind::none);
        const base::Ref<Object> held = kind == Exchange::Kind::call ? exchange.sends.endpoint : exchange.receives.endpoint;
        Endpoint* const endpoint = static_cast<Endpoint*>(held.get());
        if (kind == Exchange::Kind::call) return endpoint->end_call(thread, outcome);
        const auto again = endpoint->end_receive(thread, outcome);
        // While it was the next, its page said so. No message came.
        if ((!again || *again) && kind == Exchange::Kind::reply_receive) thread.page().reserved[0] = abi::no_handle;
        if (TRY(again)) TRY(endpoint->receive(thread, leased ? LeaseHold(thread.wait_hold()) : LeaseHold(), abi::never, kind));
    }
    return {};
}

base::Result<void> Endpoint::call(Thread& caller, const LeaseHold& hold, std::uint64_t badge, abi::Deadline deadline) {
    TRY(caller.call().prepare(caller, badge));
    if (auto begun = begin_call(caller, hold, deadline); !begun) {
        caller.call().finish();
        return begun;
    }
    if (caller.call().capabilities.empty() && leave_exchange(caller, Exchange::Kind::call, hold, deadline)) return {};
    return end_call(caller, caller.wait(deadline, hold));
}

base::Result<void> Endpoint::end_call(Thread& caller, std::int32_t outcome) {
    CallState& state = caller.call();
    if (outcome != 0) {
        LockGuard guard(lock_);
        if (!base::weakened(base::Weakness::reply_disarm)) state.reply->disarm();
        callers_.remove_if_queued(caller);
    }
    state.finish();
    if (outcome != 0) return std::unexpected(static_cast<abi::Error>(-outcome));
    return {};
}

base::Result<void> Endpoint::begin_call(Thread& caller, const LeaseHold& hold, abi::Deadline deadline) {
    CallState& state = caller.call();
    Thread* server = nullptr;
    for (bool more = false;; preemption_point()) {
        if (more) TRY(caller.may_look_again(hold, deadline));
        // Where it is delivered at once, the records are made here.
        state.capabilities.wait_for_room(caller.process());
        LockGuard guard(lock_);
        server = claim_server(more);
        if (more) continue;
        if (!server) {
            if (!has_server()) return std::unexpected(abi::Error::peer_closed);
            if (deadline == abi::poll) return std::unexpected(abi::Error::timed_out);
        }
        // Armed before a server can see the message: its answer may come from another CPU at once.
        caller.wait_state().announce();
        state.reply->arm(caller, *this);
        if (!server) callers_.push(caller);
        break;
    }
    if (!server) {
        notify_port();
        return {};
    }
    // The server is claimed and in no queue, so it is this thread's to write to.
    abi::Handle handles[abi::message_handles];
    auto delivered = deliver(caller, *server, handles);
    if (!state.capabilities.empty()) Audit::tell();
    if (!delivered) {
        {
            LockGuard guard(lock_);
            state.reply->disarm();
        }
        caller.abandon_wait();
        // First the wait, which is claimed and so ends by nothing else; the rest may take long.
        const base::Ref<Process> process(server->process());
        server->finish_wait(wait_again);
        take_back(process->handles(), handles);
        return delivered;
    }
    server->finish_wait(0);
    return {};
}

base::Result<void> Endpoint::receive(Thread& server, const LeaseHold& hold, abi::Deadline deadline, Exchange::Kind kind) {
    server.exchange().takes_current_reply = kind == Exchange::Kind::reply_receive;
    for (;;) {
        if (!TRY(begin_receive(server, hold, deadline))) return {};
        if (leave_exchange(server, kind, hold, deadline)) {
            if (kind == Exchange::Kind::reply_receive) serve_next(server);
            return {};
        }
        if (!TRY(end_receive(server, server.wait(deadline, hold)))) return {};
    }
}

base::Result<bool> Endpoint::begin_receive(Thread& server, const LeaseHold& hold, abi::Deadline deadline) {
    // Also where a wait comes before this that ended without a message.
    if (!hold.valid()) return std::unexpected(abi::Error::revoked);
    unsigned attempt = 0;
    for (bool again = false;; preemption_point(), again = true) {
        if (again) TRY(server.may_look_again(hold, deadline));
        abi::Handle handles[abi::message_handles] = {};
        base::Result<void> delivered;
        bool recorded = false, full = false;
        {
            // Held while the message is taken: a caller whose wait ends meanwhile needs the lock before it may reuse what is read here.
            LockGuard guard(lock_);
            bool more = false;
            Thread* const caller = callers_.take_waiting(more);
            if (more) continue;
            if (!caller) {
                if (deadline == abi::poll) return std::unexpected(abi::Error::timed_out);
                server.wait_state().announce();
                servers_.push(server);
                return true;
            }
            const MessageCapabilities& capabilities = caller->call().capabilities;
            recorded = !capabilities.empty();
            // The records are made here, and not where the caller waited for room. It still waits, or needs the lock before it leaves the queue.
            full = recorded && !Audit::has_room(server.process().audit_account(), capabilities.most_records());
            if (full) {
                callers_.push_first(*caller);
            } else {
                delivered = deliver(*caller, server, handles);
                // The caller goes on waiting, now for the answer. If its wait ends, the answer finds nobody.
                if (!delivered && caller->wait_state().claim()) caller->finish_wait(negative(delivered.error()));
            }
        }
        if (recorded) Audit::tell();
        if (full) {
            // Another server may take it meanwhile, on a CPU where there is room.
            wait_for_turn(attempt++);
        } else {
            if (delivered) return false;
            take_back(server.process().handles(), handles);
            // A message that died under way is the caller's matter; a full table is the server's too, or it would never learn why nobody gets through.
            if (delivered.error() != abi::Error::revoked) return std::unexpected(delivered.error());
        }
        // Others may send such as fast as they are taken, where waits that are over take them longer.
        if (deadline == abi::poll) return std::unexpected(abi::Error::timed_out);
    }
}

base::Result<bool> Endpoint::end_receive(Thread& server, std::int32_t outcome) {
    if (outcome == 0) return false;
    if (outcome == wait_again) return true;
    LockGuard guard(lock_);
    if (next_server_ == &server)
        next_server_ = nullptr;
    else
        servers_.remove_if_queued(server);
    return std::unexpected(static_cast<abi::Error>(-outcome));
}

std::uint64_t Endpoint::take_event(bool& again) {
    LockGuard guard(lock_);
    again = !callers_.empty();
    return again ? 1 : 0;
}

bool Endpoint::on_receivers_gone() {
    constexpr unsigned callers_of_step = 64;
    LockGuard guard(lock_);
    if (has_server()) return false;
    for (unsigned told = 0; told < callers_of_step; ++told) {
        Thread* const caller = callers_.first();
        if (!caller) return false;
        callers_.remove(*caller);
        if (caller->wait_state().claim()) caller->finish_wait(negative(abi::Error::peer_closed));
    }
    return true;
}

} // namespace kernel
