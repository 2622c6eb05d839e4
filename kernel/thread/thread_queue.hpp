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
    void remove(Thread& thread);
    // For a thread whose wait ended by itself: whether it is still linked depends on who ended it.
    void remove_if_queued(Thread& thread);

private:
    base::List<Thread, ThreadQueue> threads_;
};

} // namespace kernel
