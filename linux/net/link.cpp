#include "linux/net/link.hpp"

#include "linux/sandbox/configuration.hpp"
#include "lwip/pbuf.h"

#include "lib/native/clock.hpp"
#include "lib/native/port.hpp"
#include "lib/native/thread.hpp"
#include "linux/core/lock.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace personality::net {

namespace {

constexpr std::uint32_t ethernet_frame = 1; // the record's kind
constexpr std::uint32_t largest_frame = 1514;
constexpr std::uint64_t bell_key = 1, nudge_key = 2;
constexpr unsigned batch = 64; // frames taken in one turn with the lock

class Link final : public Wire {
public:
    base::Result<void> open(const ring::Handles* handles) {
        port_ = TRY(native::Port::create());
        nudge_ = TRY(native::Notification::create());
        TRY(port_.bind(nudge_.handle(), nudge_key));
        if (handles == nullptr)
            return {};
        pair_ = TRY(ring::Pair::attach(*handles, abi::RingUse::records, ring::Side::b));
        TRY(port_.bind(pair_.bell(), bell_key));
        plugged_ = true;
        return {};
    }

    bool transmit(const pbuf& frame) override {
        if (!plugged_)
            return true; // into nothing, as with a cable that was pulled
        const pbuf* rest = frame.next;
        base::Result<void> written;
        if (rest == nullptr || rest->next == nullptr) {
            const auto second = rest == nullptr ? std::span<const std::byte>{} : std::span(static_cast<const std::byte*>(rest->payload), rest->len);
            written = pair_.out().write_record(ethernet_frame, {static_cast<const std::byte*>(frame.payload), frame.len}, second);
        } else {
            std::byte whole[largest_frame];
            const u16_t length = pbuf_copy_partial(&frame, whole, sizeof whole, 0);
            written = pair_.out().write_record(ethernet_frame, std::span(whole, length));
        }
        if (written)
            return true;
        if (written.error() == abi::Error::would_block)
            return false;
        if (written.error() == abi::Error::peer_closed || written.error() == abi::Error::broken)
            pulled();
        return true; // a frame that can never be sent is lost
    }

    void batch_done() override {
        if (plugged_)
            pair_.wake_after_write();
        if (next_timer() < planned_) {
            planned_ = 0; // one nudge is enough
            nudge_.signal(abi::doorbell_bit);
        }
    }

    void when_all_sent(abi::Deadline deadline, void (*then)()) {
        if (all_sent())
            return then();
        limit_ = deadline;
        then_ = then;
        nudge_.signal(abi::doorbell_bit);
    }

    void run() {
        for (;;) {
            const abi::Deadline deadline = turn();
            if (deadline == abi::poll)
                continue;
            abi::PortEvent events[2];
            (void)port_.wait(events, deadline);
        }
    }

private:
    // One turn with the lock. Returns when the next one is due at the latest; `poll`: now.
    abi::Deadline turn() {
        SandboxLock lock;
        planned_ = 0;
        const bool more = take_frames();
        const bool flushed = flush();
        run_timers();
        settle();
        if (then_ != nullptr && (all_sent() || native::monotonic_nanoseconds() >= limit_))
            std::exchange(then_, nullptr)();
        if (more)
            return abi::poll;
        if (plugged_) {
            if (!flushed && !pair_.out().must_wait(2 * sizeof(abi::RecordHeader) + largest_frame))
                return abi::poll;
            if (!pair_.in().must_wait())
                return abi::poll;
        }
        planned_ = std::min(next_timer(), then_ != nullptr ? limit_ : abi::never);
        return planned_;
    }

    // True where there are more.
    bool take_frames() {
        for (unsigned i = 0; i < batch; ++i) {
            if (!plugged_)
                return false;
            auto record = pair_.in().peek();
            if (!record) {
                if (record.error() != abi::Error::would_block)
                    pulled();
                return false;
            }
            pbuf* frame = nullptr;
            if (record->kind == ethernet_frame && record->length <= largest_frame && record->length != 0)
                frame = make_frame(static_cast<u16_t>(record->length));
            if (frame != nullptr)
                (void)pair_.in().copy(*record, 0, {static_cast<std::byte*>(frame->payload), record->length});
            pair_.in().consume(*record);
            pair_.wake_after_read();
            if (frame != nullptr)
                frame_arrived(frame);
        }
        return true;
    }

    void pulled() {
        plugged_ = false;
        unplug();
    }

    native::Port port_;
    native::Notification nudge_; // wakes the thread from others' calls
    ring::Pair pair_;
    bool plugged_ = false;
    void (*then_)() = nullptr; // see when_all_sent
    abi::Deadline limit_ = abi::never;
    abi::Deadline planned_ = 0; // when the thread wakes by itself; 0: it will look before it sleeps
};

alignas(Link) std::byte link_storage[sizeof(Link)];
Link& link() { return *std::launder(reinterpret_cast<Link*>(link_storage)); }

} // namespace

base::Result<void> start(std::span<const std::byte, 32> secret, const InterfaceSettings* settings, const ring::Handles& handles) {
    auto* link = new (link_storage) Link;
    TRY(link->open(settings != nullptr ? &handles : nullptr));
    {
        SandboxLock lock;
        start_stack(secret, settings, link);
    }
    TRY(native::start_thread([](void* self) { static_cast<Link*>(self)->run(); }, link, {.budget = configuration().budget}));
    return {};
}

void when_all_sent(abi::Deadline deadline, void (*then)()) { link().when_all_sent(deadline, then); }

} // namespace personality::net
