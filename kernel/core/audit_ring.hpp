// The audit records of one CPU that nobody has taken yet.
#pragma once
#include <atomic>
#include <cstdint>

#include "abi/audit.hpp"

namespace kernel {

// One writer, the CPU itself with interrupts off, and one reader at a time. The counts never go back, and go round.
class AuditRing {
public:
    static constexpr std::uint32_t capacity = 512;

    // `places`: capacity of them, which stay the caller's.
    constexpr explicit AuditRing(abi::AuditRecord* places) : places_(places) {}

    std::uint32_t used() const { return written_.load(std::memory_order_relaxed) - taken_.load(std::memory_order_acquire); }

    // The writer's: where the next record goes, or null where `limit` (at most capacity) of them are used.
    abi::AuditRecord* place(std::uint32_t limit) { return used() < limit ? &places_[written_.load(std::memory_order_relaxed) % capacity] : nullptr; }
    // It is filled. What is loaded behind this was not there before the reader could see it.
    void publish() { written_.store(written_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst); }

    // The reader's: the oldest record, or null. It stays until it is dropped.
    const abi::AuditRecord* oldest() const {
        const std::uint32_t at = taken_.load(std::memory_order_relaxed);
        return at == written_.load(std::memory_order_seq_cst) ? nullptr : &places_[at % capacity];
    }
    void drop_oldest() { taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    abi::AuditRecord* places_;
    std::atomic<std::uint32_t> written_{0};
    std::atomic<std::uint32_t> taken_{0};
};

} // namespace kernel
