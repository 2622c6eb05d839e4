// The audit records of one CPU that nobody has taken yet.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/audit.hpp"

namespace kernel {

// One writer, the CPU itself with interrupts off, and one reader at a time. The counts never go back, and go round.
//
// What had no place is counted, and told once: by the writer, with the first record behind it, or by the reader, when it has taken all that was written. Either way it stands between the two
// records of the ring that it came between.
class AuditRing {
public:
    static constexpr std::uint32_t capacity = 512;

    // `places`: capacity of them, which stay the caller's.
    constexpr explicit AuditRing(abi::AuditRecord* places) : places_(places) {}

    std::uint32_t used() const { return written_.load(std::memory_order_relaxed) - taken_.load(std::memory_order_acquire); }

    // The writer's: whether there is room for one more, so that `limit` (at most capacity) are used at most; and where that goes.
    bool has_place(std::uint32_t limit) const { return used() < limit; }
    abi::AuditRecord& place() { return places_[written_.load(std::memory_order_relaxed) % capacity]; }
    // It is filled. What is loaded behind this was not there before the reader could see it.
    void publish() { written_.store(written_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst); }

    // The reader's: the oldest record, or null. It stays until it is dropped.
    const abi::AuditRecord* oldest() const {
        const std::uint32_t at = taken_.load(std::memory_order_relaxed);
        return at == written_.load(std::memory_order_seq_cst) ? nullptr : &places_[at % capacity];
    }
    // The writer's: one more for which there is no place.
    void lose() { lost_.fetch_add(1, std::memory_order_release); }
    // Either one's.
    bool has_lost() const { return lost_.load(std::memory_order_acquire) != 0; }
    // Either one's: how many they are. They are the caller's to tell.
    std::uint64_t take_lost() { return lost_.exchange(0, std::memory_order_acq_rel); }
    void drop_oldest() { taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    abi::AuditRecord* places_;
    std::atomic<std::uint32_t> written_{0};
    std::atomic<std::uint32_t> taken_{0};
    std::atomic<std::uint64_t> lost_{0};
};

} // namespace kernel
