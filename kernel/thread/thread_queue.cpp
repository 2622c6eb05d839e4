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

void ThreadQueue::remove(Thread& thread) {
    threads_.remove(thread);
    thread.queue = nullptr;
}

void ThreadQueue::remove_if_queued(Thread& thread) {
    if (thread.queue == this) remove(thread);
}

} // namespace kernel
