#include "lib/native/event_loop.hpp"

#include "lib/native/clock.hpp"

namespace native {

base::Result<void> EventLoop::add(abi::Handle source, EventHandler& handler) {
    std::size_t index = 0;
    while (index < slots_.size() && slots_[index].handler != nullptr)
        ++index;
    if (index == slots_.size())
        TRY(slots_.push_back({}));
    auto bound = port_.bind(source, index);
    // A binding lives as long as the source, which may be longer than the process that made it.
    if (!bound && bound.error() == abi::Error::exists) {
        TRY(port_.unbind(source));
        bound = port_.bind(source, index);
    }
    if (!bound)
        return bound;
    slots_[index] = {source, &handler};
    return {};
}

void EventLoop::remove(abi::Handle source) {
    for (Slot& slot : slots_)
        if (slot.handler != nullptr && slot.source == source) {
            (void)port_.unbind(source);
            slot = {};
            return;
        }
}

base::Result<void> EventLoop::run() {
    abi::PortEvent events[16];
    while (!stopped_) {
        const abi::Deadline deadline = timers_.first();
        auto came = port_.wait(events, deadline);
        if (!came && came.error() == abi::Error::canceled)
            continue;
        if (!came && (came.error() == abi::Error::timed_out || came.error() == abi::Error::would_block) && deadline != abi::never) {
            if (Timer* const due = timers_.take(deadline))
                due->on_time();
            continue;
        }
        if (!came)
            return std::unexpected(came.error());
        // A handler that was removed by one before it in the batch has no slot any more; a new one in its slot sees an event without a reason.
        for (const abi::PortEvent& event : *came)
            if (event.key < slots_.size())
                if (EventHandler* handler = slots_[event.key].handler; handler != nullptr)
                    handler->on_event(event.bits);
        // Where there is always an event, no wait ends by the deadline.
        if (timers_.first() != abi::never)
            if (Timer* const due = timers_.take(monotonic_nanoseconds()))
                due->on_time();
    }
    return {};
}

} // namespace native
