#include "linux/signal/pending.hpp"

#include <bit>
#include <new>

namespace personality {

LinuxResult<void> PendingSignals::add(const SignalInfo& info) {
    const SignalSet bit = signal_bit(info.number);
    const bool realtime = info.number >= signal_number::first_realtime;
    if (!realtime && (set_ & bit) != 0)
        return {};
    Entry* entry = queued_ < queue_limit ? new (std::nothrow) Entry : nullptr;
    if (entry == nullptr) {
        // sigqueue must fail; kill of a realtime signal is delivered without its information.
        if (realtime && info.code != signal_code::user)
            return fail(Errno::EAGAIN);
        set_ |= bit;
        return {};
    }
    entry->info = info;
    queue_.push_back(*entry);
    ++queued_;
    set_ |= bit;
    return {};
}

bool PendingSignals::take(SignalSet wanted, SignalInfo& info) {
    SignalSet candidates = set_ & wanted;
    if (candidates == 0)
        return false;
    if ((candidates & synchronous) != 0)
        candidates &= synchronous;
    const int number = std::countr_zero(candidates) + 1;
    Entry* found = nullptr;
    bool more = false;
    for (Entry& entry : queue_) {
        if (entry.info.number != number)
            continue;
        if (found != nullptr) {
            more = true;
            break;
        }
        found = &entry;
    }
    if (found == nullptr) {
        info = {};
        info.number = number;
        info.code = signal_code::user;
    } else {
        info = found->info;
        queue_.remove(*found);
        delete found;
        --queued_;
    }
    if (!more)
        set_ &= ~signal_bit(number);
    return true;
}

SignalInfo* PendingSignals::find_timer(int number, std::int32_t id) {
    for (Entry& entry : queue_)
        if (entry.info.number == number && entry.info.code == signal_code::timer && entry.info.timer.id == id)
            return &entry.info;
    return nullptr;
}

void PendingSignals::clear(SignalSet signals) {
    set_ &= ~signals;
    for (auto position = queue_.begin(); position != queue_.end();) {
        Entry& entry = *position;
        ++position;
        if ((signals & signal_bit(entry.info.number)) == 0)
            continue;
        queue_.remove(entry);
        delete &entry;
        --queued_;
    }
}

} // namespace personality
