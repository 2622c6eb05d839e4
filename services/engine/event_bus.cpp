#include "services/engine/event_bus.hpp"

#include "services/common/text.hpp"

namespace engine {

namespace {
// As many as Docker keeps; a listener that is slower than so many events loses the oldest.
constexpr std::size_t kept_events = 256;
} // namespace

void EventBus::publish(EventMessage message) {
    message.sequence = ++last_;
    if (message.time == 0) message.time = services::realtime_nanoseconds();
    kept_.push_back(std::move(message));
    if (kept_.size() > kept_events) kept_.pop_front();
    arrived_.notify();
}

const EventMessage* EventBus::after(std::uint64_t sequence) const {
    for (const EventMessage& message : kept_)
        if (message.sequence > sequence) return &message;
    return nullptr;
}

} // namespace engine
