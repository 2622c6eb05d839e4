// The short ways of a call and of its answer, in one piece from the entry to the switch. Each takes its locks by trying, for they come in another order than elsewhere, and gives
// up where anything is not as usual; until the partner's wait is claimed nothing has happened.
#include "kernel/core/halves.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/thread/hand_over.hpp"

extern "C" const std::uint64_t exchange_resume_frame[];

namespace kernel {

namespace {

// No capabilities and few words: the number of capabilities stands above that of the words.
constexpr std::uint64_t tag_counts = 0x7ff;
static_assert(abi::make_tag(0, 0xff, 7) == tag_counts);

std::uint64_t resume_stack() { return reinterpret_cast<std::uint64_t>(exchange_resume_frame); }

// Announces the current thread's own wait; false, and taken back, where it is to end at once or the thread is not linked to the lease yet.
[[gnu::always_inline]] inline bool announce(Thread& thread, const LeaseHold& hold) {
    thread.wait_state().announce();
    if (thread.attention() == 0 && (!hold.lease || thread.wait_under_linked(hold))) [[likely]] return true;
    thread.wait_is_over();
    thread.abandon_wait();
    return false;
}

// The claimed wait of the partner ends, with success.
[[gnu::always_inline]] inline UserRegisters* end_wait(Thread& partner) {
    partner.exchange().kind = Exchange::Kind::none;
    partner.wait_is_over();
    partner.wait_state().complete(0);
    return &partner.registers();
}

} // namespace

// Not analysed, as the next one: where it gives a frame it leaves the lock of the queue to the caller, and a Reply that nobody else has needs none.
[[gnu::always_inline]] inline UserRegisters* Endpoint::call_directly(Thread& caller, const LeaseHold& hold, std::uint64_t badge) {
    Reply* const reply = caller.call().reply.get();
    if (!reply || !reply->has_one_reference() || !lock_.try_lock()) return nullptr;
    UserRegisters* frame = nullptr;
    if (Thread* const server = servers_.first()) {
        RunQueue& queue = *arch::this_cpu().queue;
        if (sched::begin_hand_over(queue, caller.task(), server->task(), sched::Turn::lent)) {
            if (server->exchange().kind == Exchange::Kind::reply_receive && !server->current_reply() && announce(caller, hold)) {
                if (server->wait_state().claim()) [[likely]] {
                    servers_.remove(*server);
                    reply->caller_ = &caller;
                    base::Ref<Reply>(*reply).swap(server->current_reply());
                    server->page().reserved[0] = abi::current_reply;
                    frame = end_wait(*server);
                    caller.exchange().kind = Exchange::Kind::call;
                    frame->rbx = badge;
                    sched::end_hand_over(queue, caller.task(), server->task(), sched::Turn::lent, resume_stack());
                } else {
                    caller.wait_is_over();
                    caller.abandon_wait();
                }
            }
            if (!frame) queue.lock.unlock();
        }
    }
    lock_.unlock();
    return frame;
}

[[gnu::always_inline]] inline UserRegisters* Endpoint::reply_receive_directly(Thread& server, const LeaseHold& hold) {
    Reply* const reply = server.current_reply().get();
    // Once queued here, the server is held by the Endpoint that its exchange holds.
    if (!reply || server.exchange().endpoint.get() != this || !server.exchange().takes_current_reply || !lock_.try_lock()) return nullptr;
    UserRegisters* frame = nullptr;
    if (callers_.empty() && reply->lock_.try_lock()) {
        RunQueue& queue = *arch::this_cpu().queue;
        Thread* const caller = reply->caller_;
        if (caller && sched::begin_hand_over(queue, server.task(), caller->task(), sched::Turn::given_back)) {
            if (caller->exchange().kind == Exchange::Kind::call && announce(server, hold)) {
                if (caller->wait_state().claim()) [[likely]] {
                    reply->caller_ = nullptr;
                    server.page().reserved[0] = abi::no_handle;
                    frame = end_wait(*caller);
                    servers_.push(server);
                    server.exchange().kind = Exchange::Kind::reply_receive;
                    sched::end_hand_over(queue, server.task(), caller->task(), sched::Turn::given_back, resume_stack());
                } else {
                    server.wait_is_over();
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

// What entry.S goes on with: the frame that the thread which runs now returns to user mode by, whose message is in the processor's registers, and what it adds one to when
// the stack of the thread that left is out of use. Null where the call goes the general way, with nothing done.
struct DirectExchange {
    arch::Registers* frame = nullptr;
    std::atomic<std::uint32_t>* lock = nullptr;
};

namespace {

// `exchange` with the Endpoint and the badge, where the capability and the message are of the kind that needs no more than the registers.
template <class Function>
[[gnu::always_inline]] inline DirectExchange exchange_directly(Thread& thread, abi::Handle handle, std::uint64_t tag, abi::Deadline deadline, abi::Rights right,
                                                               Function&& exchange) {
    const UserRegisters& registers = thread.registers();
    if (deadline != abi::never || (tag & tag_counts) > abi::message_register_words) return {};
    if (!personality_half().contains(registers.rip, 1) || registers.rflags & arch::not_by_sysret) return {};
    const auto frame = thread.process().handles().with(handle, [&](const Capability& capability) -> base::Result<UserRegisters*> {
        if (capability.object->kind() != abi::ObjectKind::endpoint || !(capability.rights & right)) return nullptr;
        return exchange(static_cast<Endpoint&>(*capability.object), capability);
    });
    if (!frame || !*frame) return {};
    return {*frame, &arch::this_cpu().queue->lock.serving()};
}

} // namespace

// From entry.S: ipc_call and ipc_reply_receive of native code. Of the caller's frame rip, rflags, rsp, rbp, rdi and rbx are saved.
DirectExchange kernel_call_directly(abi::Handle handle, std::uint64_t tag, abi::Deadline deadline) asm("kernel_call_directly");
DirectExchange kernel_call_directly(abi::Handle handle, std::uint64_t tag, abi::Deadline deadline) {
    Thread& thread = sched::current_thread();
    return exchange_directly(thread, handle, tag, deadline, abi::right::send,
                             [&](Endpoint& endpoint, const Capability& capability) { return endpoint.call_directly(thread, capability.hold, capability.badge); });
}

DirectExchange kernel_reply_receive_directly(abi::Handle handle, std::uint64_t tag, abi::Deadline deadline) asm("kernel_reply_receive_directly");
DirectExchange kernel_reply_receive_directly(abi::Handle handle, std::uint64_t tag, abi::Deadline deadline) {
    Thread& thread = sched::current_thread();
    if (__atomic_load_n(&thread.page().reserved[0], __ATOMIC_RELAXED) != abi::current_reply) return {};
    return exchange_directly(thread, handle, tag, deadline, abi::right::receive,
                             [&](Endpoint& endpoint, const Capability& capability) { return endpoint.reply_receive_directly(thread, capability.hold); });
}

} // namespace kernel
