#include "kernel/thread/thread_queue.hpp"

#include "kernel/thread/thread.hpp"

namespace kernel {

Thread* ThreadQueue::first() { return threads_.empty() ? nullptr : &threads_.front(); }

Thread* ThreadQueue::next(Thread& thread) {
    auto position = decltype(threads_)::Iterator(&thread);
    ++position;
    return position == threads_.end() ? nullptr : &*position;
}

void ThreadQueue::push(Thread& thread) {
    threads_.push_back(thread);
    thread.queue = this;
}

void ThreadQueue::push_first(Thread& thread) {
    threads_.push_front(thread);
    thread.queue = this;
}

void ThreadQueue::remove(Thread& thread) {
    threads_.remove(thread);
    thread.queue = nullptr;
}

template <class Wanted> Thread* ThreadQueue::take_first(bool& more, Wanted wanted) {
    more = false;
    for (unsigned ended = 0; ended < most_ended; ++ended) {
        Thread* const thread = first();
        if (!thread) return nullptr;
        remove(*thread);
        if (wanted(thread->wait_state())) return thread;
    }
    more = true;
    return nullptr;
}

Thread* ThreadQueue::claim_first(bool& more) {
    return take_first(more, [](WaitState& wait) { return wait.claim(); });
}

Thread* ThreadQueue::take_waiting(bool& more) {
    return take_first(more, [](const WaitState& wait) { return wait.is_waiting(); });
}

void ThreadQueue::remove_if_queued(Thread& thread) {
    if (thread.queue == this) remove(thread);
}

} // namespace kernel
