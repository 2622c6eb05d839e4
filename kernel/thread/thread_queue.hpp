// The threads that wait at one object.
#pragma once
#include "lib/base/list.hpp"

namespace kernel {

class Thread;

// First in, first out. A thread is in one queue at most. The owner's lock serialises.
class ThreadQueue {
public:
    ThreadQueue() = default;

    // The longest waiting, or null.
    Thread* first();
    // The one behind `thread`, or null.
    Thread* next(Thread& thread);
    bool empty() const { return threads_.empty(); }
    void push(Thread& thread);
    // Before all others: one that was taken out and is to be the next.
    void push_first(Thread& thread);
    void remove(Thread& thread);
    // Takes the longest waiting out, its wait claimed. Those before it whose waits have ended already leave too: there may be any number of them, so after `most_ended` it gives
    // null with `more` set, and the caller lets go of the lock before it comes again, or leaves that to them. Null without `more`: nobody waits.
    Thread* claim_first(bool& more);
    // The same, and it goes on waiting.
    Thread* take_waiting(bool& more);
    // For a thread whose wait ended by itself: whether it is still linked depends on who ended it.
    void remove_if_queued(Thread& thread);

private:
    static constexpr unsigned most_ended = 64;
    template <class Wanted> Thread* take_first(bool& more, Wanted wanted);

    base::List<Thread, ThreadQueue> threads_;
};

} // namespace kernel
