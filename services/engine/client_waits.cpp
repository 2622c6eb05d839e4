#include "services/engine/client_waits.hpp"

namespace engine {

bool ClientWaits::end_longest() {
    if (waits_.empty()) return false;
    waits_.front()->end();
    return true;
}

ClientWaits::Wait::Wait(ClientWaits& waits, Tcp::socket& socket)
    : waits_(waits), socket_(socket), timer_(socket.get_executor()), self_(std::make_shared<Wait*>(this)),
      place_(waits.waits_.insert(waits.waits_.end(), this)) {}

ClientWaits::Wait::~Wait() {
    *self_ = nullptr;
    if (!ended_) waits_.waits_.erase(place_);
}

void ClientWaits::Wait::extend(Clock::duration time) {
    timer_.expires_after(time);
    timer_.async_wait([self = self_](const ErrorCode& error) {
        // One that was extended, or is over, since the timer rang goes on.
        if (!error && *self != nullptr && (*self)->timer_.expiry() <= Clock::now()) (*self)->end();
    });
}

void ClientWaits::Wait::end() {
    if (std::exchange(ended_, true)) return;
    waits_.waits_.erase(place_);
    ErrorCode ignored;
    socket_.cancel(ignored);
}

} // namespace engine
