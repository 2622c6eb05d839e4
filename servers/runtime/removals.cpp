#include "servers/runtime/removals.hpp"

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

void Removals::look() { bell_.signal(1); }

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
}

} // namespace runtime
