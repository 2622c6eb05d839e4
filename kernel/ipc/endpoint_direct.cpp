// The short ways of a call and its answer. Each takes its locks by trying, for they come in another order than elsewhere, and gives up where anything is not as usual; until the
// partner's wait is claimed nothing has happened.
#include "kernel/ipc/endpoint.hpp"
#include "kernel/thread/hand_over.hpp"

extern "C" const std::uint64_t exchange_resume_frame[];

namespace kernel {

namespace {

std::uint64_t resume_stack() { return reinterpret_cast<std::uint64_t>(exchange_resume_frame); }

// Announces the current thread's own wait; false, and taken back, where it is to end at once.
bool announce(Thread& thread) {
    thread.wait_state().announce();
    if (thread.attention() == 0) [[likely]] return true;
    thread.abandon_wait();
    return false;
}

} // namespace

UserRegisters* Endpoint::call_directly(Thread& caller, std::uint64_t badge) {
    Reply* const reply = caller.call().reply.get();
    if (!reply || !reply->has_one_reference() || !lock_.try_lock()) return nullptr;
    UserRegisters* frame = nullptr;
    if (Thread* const server = servers_.first()) {
        RunQueue& queue = *arch::this_cpu().queue;
        if (sched::begin_hand_over(queue, caller.task(), server->task(), sched::Turn::lent)) {
            if (server->exchange().kind == Exchange::Kind::reply_receive && !server->current_reply() && announce(caller)) {
                if (server->wait_state().claim()) [[likely]] {
                    servers_.remove(*server);
                    reply->caller_ = &caller;
                    server->current_reply() = base::Ref<Reply>(*reply);
                    server->page().reserved[0] = abi::current_reply;
                    server->exchange().kind = Exchange::Kind::none;
                    server->wait_state().complete(0);
                    caller.exchange().kind = Exchange::Kind::call;
                    frame = &server->registers();
                    frame->rbx = badge;
                    sched::end_hand_over(queue, caller.task(), server->task(), sched::Turn::lent, resume_stack());
                } else {
                    caller.abandon_wait();
                }
            }
            if (!frame) queue.lock.unlock();
        }
    }
    lock_.unlock();
    return frame;
}

UserRegisters* Endpoint::reply_receive_directly(Thread& server) {
    Reply* const reply = server.current_reply().get();
    // Once queued here, the server is held by the Endpoint that its exchange holds.
    if (!reply || server.exchange().endpoint.get() != this || !server.exchange().takes_current_reply || !lock_.try_lock()) return nullptr;
    UserRegisters* frame = nullptr;
    if (callers_.empty() && reply->lock_.try_lock()) {
        RunQueue& queue = *arch::this_cpu().queue;
        Thread* const caller = reply->caller_;
        if (caller && sched::begin_hand_over(queue, server.task(), caller->task(), sched::Turn::given_back)) {
            if (caller->exchange().kind == Exchange::Kind::call && announce(server)) {
                if (caller->wait_state().claim()) [[likely]] {
                    reply->caller_ = nullptr;
                    server.page().reserved[0] = abi::no_handle;
                    caller->exchange().kind = Exchange::Kind::none;
                    caller->wait_state().complete(0);
                    servers_.push(server);
                    server.exchange().kind = Exchange::Kind::reply_receive;
                    frame = &caller->registers();
                    sched::end_hand_over(queue, server.task(), caller->task(), sched::Turn::given_back, resume_stack());
                } else {
                    server.abandon_wait();
                }
            }
            if (!frame) queue.lock.unlock();
        }
        reply->lock_.unlock();
    }
    lock_.unlock();
    // The caller holds the Reply too, so this is not its end.
    if (frame) server.current_reply().reset();
    return frame;
}

} // namespace kernel
