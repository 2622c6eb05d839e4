// Signals that were sent and not delivered yet: a set, and a queue of what came with them.
#pragma once
#include "lib/base/list.hpp"
#include "linux/core/errno.hpp"
#include "linux/signal/signal_info.hpp"
#include "linux/signal/signal_set.hpp"

namespace personality {

// Sandbox lock. Standard signals are pending once; realtime signals queue in order.
class PendingSignals {
public:
    static constexpr std::uint32_t queue_limit = 1024; // RLIMIT_SIGPENDING of each queue

    ~PendingSignals() { clear(~SignalSet{0}); }
    SignalSet set() const { return set_; }
    // EAGAIN: a realtime signal for which there is no room. A standard signal is never lost, at worst its information is.
    LinuxResult<void> add(const SignalInfo& info);
    // Takes the next one of `wanted`: faults first, then the lowest number. Returns false where there is none.
    bool take(SignalSet wanted, SignalInfo& info);
    // What waits of timer `id` with signal `number`; null where nothing does. Good until the next change.
    SignalInfo* find_timer(int number, std::int32_t id);
    void clear(SignalSet signals);
    std::uint32_t queued() const { return queued_; }

private:
    struct Entry : base::ListNode {
        SignalInfo info;
    };
    base::List<Entry> queue_;
    SignalSet set_ = 0;
    std::uint32_t queued_ = 0;
};

} // namespace personality
