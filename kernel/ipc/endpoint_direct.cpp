// The short ways of a call and of its answer, in one piece from the entry to the switch. Each takes its locks by trying, for they come in another order than elsewhere, and gives
// up where anything is not as usual; until the partner's wait is claimed nothing has happened.
#include "abi/kernel_calls.hpp"
#include "kernel/ipc/endpoint.hpp"
#include "kernel/thread/hand_over.hpp"

extern "C" const std::uint64_t exchange_resume_frame[];

namespace kernel {

namespace {

// No capabilities and few words: the number of capabilities stands above that of the words.
constexpr std::uint64_t tag_counts = 0x7ff;
static_assert(abi::make_tag(0, 0xff, 7) == tag_counts);
constexpr std::uint64_t tag_capability = 0x100;
static_assert(abi::make_tag(0, 0, 1) == tag_capability);
[[gnu::always_inline]] inline bool is_short(std::uint64_t tag) {
    static_assert(abi::message_register_words == 8);
    if ((tag & tag_counts & ~std::uint64_t{7}) == 0) [[likely]] return true;
    return __builtin_expect_with_probability((tag & tag_counts) == 8, 1, 1.0);
}

std::uint64_t resume_stack() { return reinterpret_cast<std::uint64_t>(exchange_resume_frame); }

// Whether a known Endpoint is still in its slot, and a wait there is under no lease, or under that which the thread is linked to: another one is for the general way.
[[gnu::always_inline]] inline bool is_as_known(const Thread& thread, const Exchange::Known& known, abi::Handle handle) {
    if (handle == abi::no_handle || !arch::holds(known.slot->handle, handle)) return false;
    return !known.hold.lease || thread.is_linked_to(known.hold);
}

[[clang::preserve_most, gnu::noinline, gnu::cold]] void take_back(Thread& thread) {
    thread.wait_is_over();
    thread.abandon_wait();
}

// Announces the current thread's own wait; false, and taken back, where it is to end at once.
[[gnu::always_inline]] inline bool announce(Thread& thread, const LeaseHold& hold) {
    thread.wait_state().announce();
    if (arch::holds(thread.task().attention, 0u) && (!hold.lease || thread.wait_under_linked())) [[likely]] return true;
    take_back(thread);
    return false;
}

// The claimed wait of the partner ends, with success.
[[gnu::always_inline]] inline void end_wait(Thread& partner) {
    partner.exchange().kind = Exchange::Kind::none;
    partner.wait_is_over();
    partner.wait_state().complete(0);
}

// The capability of a message, on its way from one table to the other.
template <bool> struct Enclosed;
template <> struct Enclosed<false> {
    bool collect(Thread&) { return true; }
    bool install(Thread&) { return true; }
    void deliver(Thread&) {}
    void keep(Thread&) {}
    void take_back() {}
};
template <> struct Enclosed<true> {
    bool collect(Thread& sender) {
        account = &sender.process().audit_account();
        return MessageCapabilities::take(sender, 0, capability) && capability;
    }
    // The receiver's wait is not claimed yet: where it is not, this is undone by the next two.
    bool install(Thread& receiver) {
        // What goes from one sandbox to another is recorded, and may have to wait for that.
        if (!capability.hold.valid() || &receiver.process().audit_account() != account) return false;
        const auto inserted = receiver.process().handles().insert(std::move(capability));
        if (inserted) handle = *inserted;
        return inserted.has_value();
    }
    void deliver(Thread& receiver) { receiver.page().message.handles[0] = handle; }
    void keep(Thread& receiver) { process = base::Ref<Process>(receiver.process()); }
    void take_back() {
        if (process) (void)process->handles().close(handle);
    }
    Capability capability;
    abi::Handle handle = abi::no_handle;
    const AuditAccount* account = nullptr;
    base::Ref<Process> process;
};

} // namespace

template <bool with_capability> [[gnu::always_inline]] inline bool Endpoint::call_directly(Task& self, abi::Handle handle, std::uint64_t& badge) {
    Thread& caller = Thread::of(self);
    const Exchange::Known& known = caller.exchange().sends;
    if (!is_as_known(caller, known, handle)) return false;
    Enclosed<with_capability> enclosed;
    if (!enclosed.collect(caller)) return false;
    Endpoint& endpoint = static_cast<Endpoint&>(*known.endpoint);
    if (!endpoint.lock_.try_lock()) return false;
    bool handed = false;
    Reply* const reply = caller.call().reply.get();
    Thread* const server = endpoint.next_server_;
    // Who knows an Endpoint to send to has a Reply.
    if (server && reply->has_one_reference() && enclosed.install(*server)) {
        RunQueue& queue = *arch::here()->queue;
        Task& to = server->task();
        if (sched::begin_hand_over(queue, self, to, sched::Turn::lent)) {
            if (announce(caller, known.hold)) {
                if (server->wait_state().claim()) [[likely]] {
                    endpoint.next_server_ = nullptr;
                    reply->caller_ = &caller;
                    reply->endpoint_ = &endpoint;
                    server->take_reply(*reply);
                    enclosed.deliver(*server);
                    end_wait(*server);
                    caller.exchange().kind = Exchange::Kind::call;
                    badge = known.badge;
                    sched::end_hand_over(queue, self, to, sched::Turn::lent, resume_stack());
                    handed = true;
                } else {
                    take_back(caller);
                }
            }
            if (!handed) queue.lock.unlock();
        }
        // It cannot leave before it has the lock.
        if (!handed) enclosed.keep(*server);
    }
    endpoint.lock_.unlock();
    if (!handed) enclosed.take_back();
    return handed;
}

[[gnu::always_inline]] inline bool Endpoint::reply_receive_directly(Task& self, abi::Handle handle) {
    Thread& server = Thread::of(self);
    const Exchange::Known& known = server.exchange().receives;
    if (!is_as_known(server, known, handle)) return false;
    if (__atomic_load_n(&server.page().reserved[0], __ATOMIC_RELAXED) != abi::current_reply) return false;
    // The caller of a Reply at this Endpoint needs its lock before it goes on where its wait ends in another way.
    Endpoint& endpoint = static_cast<Endpoint&>(*known.endpoint);
    Reply* const reply = server.current_reply().get();
    if (!reply || reply->endpoint_ != &endpoint || !endpoint.lock_.try_lock()) return false;
    bool handed = false;
    Thread* const caller = reply->caller_;
    if (caller && endpoint.callers_.empty() && !endpoint.next_server_) {
        RunQueue& queue = *arch::here()->queue;
        Task& to = caller->task();
        if (sched::begin_hand_over(queue, self, to, sched::Turn::given_back)) {
            if (caller->exchange().kind == Exchange::Kind::call && announce(server, known.hold)) {
                if (caller->wait_state().claim()) [[likely]] {
                    reply->caller_ = nullptr;
                    server.give_reply_up(*reply);
                    end_wait(*caller);
                    endpoint.next_server_ = &server;
                    server.exchange().kind = Exchange::Kind::reply_receive;
                    server.exchange().takes_current_reply = true;
                    sched::end_hand_over(queue, self, to, sched::Turn::given_back, resume_stack());
                    handed = true;
                } else {
                    take_back(server);
                }
            }
            if (!handed) queue.lock.unlock();
        }
    }
    endpoint.lock_.unlock();
    return handed;
}

// The way in and out is in entry.S, which keeps the words that a function of C++ needs registers for. The convention has no others to keep: words 4 to 7 are in r12 to r15, the
// handle in rdi, the tag in rsi, and rdx and rcx are free.
using Word = std::uint64_t;

// The thread that runs now returns to user mode: with `rbx` in that, by the frame that ends at `top`. `lock` is given free when the other one's stack is out of use.
[[clang::preserve_none]] void exchange_over(Word w4, Word w5, Word w6, Word w7, Word rbx, Word tag, Word lock, Word top) asm("exchange_over");
// Nothing was done, and the call of this number goes the general way.
[[clang::preserve_none]] void exchange_generally(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word number, Word) asm("exchange_generally");

namespace {

Word lock_here() { return reinterpret_cast<Word>(&arch::here()->queue->lock.given_by_assembly()); }

[[clang::preserve_none, gnu::noinline]] void call_with_capability(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word, Word) {
    Word badge;
    if (is_short(tag - tag_capability) && Endpoint::call_directly<true>(*arch::here()->current, handle, badge))
        [[clang::musttail]] return exchange_over(w4, w5, w6, w7, badge, tag, lock_here(), arch::here()->kernel_stack);
    [[clang::musttail]] return exchange_generally(w4, w5, w6, w7, handle, tag, static_cast<Word>(abi::KernelCall::ipc_call), 0);
}

} // namespace

[[clang::preserve_none]] void kernel_call_directly(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word, Word) asm("kernel_call_directly");
void kernel_call_directly(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word, Word) {
    if (!is_short(tag)) [[unlikely]] [[clang::musttail]] return call_with_capability(w4, w5, w6, w7, handle, tag, 0, 0);
    Word badge;
    if (Endpoint::call_directly<false>(*arch::here()->current, handle, badge)) [[likely]]
        [[clang::musttail]] return exchange_over(w4, w5, w6, w7, badge, tag, lock_here(), arch::here()->kernel_stack);
    [[clang::musttail]] return exchange_generally(w4, w5, w6, w7, handle, tag, static_cast<Word>(abi::KernelCall::ipc_call), 0);
}

[[clang::preserve_none]] void kernel_reply_receive_directly(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word, Word) asm("kernel_reply_receive_directly");
void kernel_reply_receive_directly(Word w4, Word w5, Word w6, Word w7, Word handle, Word tag, Word, Word) {
    if (is_short(tag) && Endpoint::reply_receive_directly(*arch::here()->current, handle)) [[likely]]
        [[clang::musttail]] return exchange_over(w4, w5, w6, w7, abi::never, tag, lock_here(), arch::here()->kernel_stack);
    [[clang::musttail]] return exchange_generally(w4, w5, w6, w7, handle, tag, static_cast<Word>(abi::KernelCall::ipc_reply_receive), 0);
}

} // namespace kernel
