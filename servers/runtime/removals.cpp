#include "servers/runtime/removals.hpp"

#include <algorithm>

namespace runtime {

base::Result<void> Removals::prepare(native::EventLoop& loop) {
    bell_ = TRY(native::Notification::create());
    return loop.add(bell_.handle(), *this);
}

void Removals::take(std::unique_ptr<Sandbox> sandbox, native::ChannelRequest request) {
    sandbox->end();
    if (!sandbox->gone()) {
        if (auto removal = removals_.emplace_back()) {
            (*removal)->sandbox = std::move(sandbox);
            (*removal)->request = std::move(request);
            return;
        }
        // Without room to remember it, the wait is this server's.
    }
    sandbox.reset();
    if (request)
        request.answer();
}

bool Removals::any_of(std::uint64_t owner) const {
    return std::any_of(removals_.begin(), removals_.end(), [owner](const Removal& removal) { return removal.sandbox->owner == owner; });
}

base::Result<void> Removals::answer_after(std::uint64_t owner, native::ChannelRequest& request) {
    if (!any_of(owner)) {
        request.answer();
        return {};
    }
    Waiter* const waiter = TRY(waiters_.emplace_back());
    waiter->owner = owner;
    waiter->request = std::move(request);
    return {};
}

void Removals::on_event(std::uint64_t) {
    for (std::size_t i = removals_.size(); i-- > 0;) {
        if (!removals_[i].sandbox->gone())
            continue;
        Removal over = std::move(removals_[i]);
        removals_.erase(i);
        over.sandbox.reset();
        if (over.request)
            over.request.answer();
    }
    for (std::size_t i = waiters_.size(); i-- > 0;)
        if (!any_of(waiters_[i].owner)) {
            waiters_[i].request.answer();
            waiters_.erase(i);
        }
}

} // namespace runtime
