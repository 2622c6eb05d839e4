// What happened to containers and images: GET /events, with the recent past.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "services/engine/async.hpp"

namespace engine {

struct EventMessage {
    std::uint64_t sequence = 0;
    std::int64_t time = 0; // nanoseconds since 1970
    std::string type;      // "container", "image"
    std::string action;    // "start", "die", ...
    std::string id;
    std::string from; // image of a container
    std::map<std::string, std::string> attributes;
};

class EventBus {
public:
    explicit EventBus(asio::io_context& io) : arrived_(io) {}
    void publish(EventMessage message);
    // The oldest kept event after `sequence`, or null.
    const EventMessage* after(std::uint64_t sequence) const;
    std::uint64_t last() const { return last_; }
    Signal& arrived() { return arrived_; }

private:
    std::deque<EventMessage> kept_;
    std::uint64_t last_ = 0;
    Signal arrived_;
};

} // namespace engine
