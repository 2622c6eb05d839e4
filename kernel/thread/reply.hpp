// Reply: the one-shot right to answer one call.
#pragma once
#include <cstdint>

#include "kernel/thread/message.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel {

class Endpoint;
class Thread;

// Made by a call for its own answer. When the last slot goes before an answer was given, the caller gets peer_closed.
class Reply final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::reply;
    static constexpr abi::Rights rights = abi::right::transfer;

    Reply() : Object(object_kind) {}

    // The caller of this Reply, which called at `endpoint`; by the caller itself, which disarms before it goes on, with the endpoint's lock held both times.
    void arm(Thread& caller, const Endpoint& endpoint);
    // The caller left (deadline, kick, end); by the caller itself.
    void disarm();

    // Answered by nobody: the caller gets peer_closed. Without locks.
    void drop();

    // Hands the current thread's message to the caller. Errors: peer_closed (the caller is gone), and no_slots etc. are the caller's errors, not this one's.
    base::Result<void> answer(Thread& server, const MessageCapabilities& capabilities);

private:
    friend class Endpoint; // the short way
    void on_slots_gone() override { drop(); }
    // The caller, claimed for this answer, or null where it left. It does not run until its wait is finished.
    Thread* claim_caller();

    SpinLock lock_{LockRank::reply};
    Thread* caller_ BASE_GUARDED_BY(lock_) = nullptr; // alive while it is set: it waits
    const Endpoint* endpoint_ = nullptr;              // of the call; compared, never followed. Written while nobody else has the Reply
};

} // namespace kernel
