// How a thread waits: one claim decides how a wait ends, whoever tries to end it.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/types.hpp"

namespace kernel {

// The state of one wait. A thread announces its wait under the lock of the object it waits at and links itself to that object's queue. Then a peer, its deadline,
// a kick, a revocation and its process' end race for it: the one whose claim() succeeds decides the outcome and makes the thread runnable; all others leave
// it alone. The thread unlinks itself afterwards, so nobody but the peer needs the object's lock.
//
// A claimed thread does not run before complete() is called, so the peer may write its registers and message page in between.
class WaitState {
public:
    // Announces a wait. By the thread itself, before it is linked anywhere.
    void announce() { state_.store(state_.load(std::memory_order_relaxed) + one_wait + announced + open, std::memory_order_seq_cst); }

    bool is_waiting() const { return (state_.load(std::memory_order_acquire) & open) != 0; }

    // True for exactly one caller between announce() and complete().
    bool claim() { return (state_.fetch_and(~std::uint32_t{open}, std::memory_order_seq_cst) & open) != 0; }

    // Which wait it is, for claim(wait): one that has something to look at first, and must not end the thread's next wait in this one's place.
    std::uint32_t current() const { return state_.load(std::memory_order_seq_cst); }
    bool claim(std::uint32_t wait) {
        return (wait & open) != 0 && state_.compare_exchange_strong(wait, wait - open, std::memory_order_seq_cst);
    }

    // By the claimer: the outcome is fixed; 0 or an Error. The thread may run from here on.
    void complete(std::int32_t outcome) {
        outcome_ = outcome;
        state_.store(state_.load(std::memory_order_relaxed) - announced, std::memory_order_release);
    }

    bool is_complete() const { return (state_.load(std::memory_order_acquire) & announced) == 0; }
    std::int32_t outcome() const { return outcome_; }

private:
    // Whether nobody has claimed the wait yet, and whether it is not complete; the bits above count waits.
    enum : std::uint32_t { open = 1, announced = 2, one_wait = 4 };
    std::atomic<std::uint32_t> state_{0};
    std::int32_t outcome_ = 0;
};

} // namespace kernel
