// How a program reads the store that the log server shows to it (abi/audit.hpp), while the server writes to it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "abi/audit.hpp"

namespace logging {

class AuditView {
public:
    AuditView() = default;
    // `memory`: all of the store, mapped for as long as the view is used. A view of what is too small for a store is of an empty one.
    explicit AuditView(std::span<const std::byte> memory) : memory_(memory) {}

    // Copies the oldest batch that is kept whose sequence is at least `sequence`. False where there is none. Where the server is faster than the reader, what it wrote over is left out.
    bool find(std::uint64_t sequence, abi::AuditBatch& batch) const {
        const std::uint64_t capacity = memory_.size() / abi::page_size - (memory_.size() < abi::page_size ? 0 : 1);
        if (capacity == 0)
            return false;
        const auto& header = *reinterpret_cast<const abi::AuditStoreHeader*>(memory_.data());
        const auto number = [](const std::uint64_t& field) { return __atomic_load_n(&field, __ATOMIC_ACQUIRE); };
        for (unsigned attempt = 0; attempt < most_attempts; ++attempt) {
            const std::uint64_t wanted = std::max({sequence, number(header.first), std::uint64_t{1}});
            if (wanted > number(header.last))
                return false;
            std::memcpy(&batch, memory_.data() + (1 + wanted % capacity) * abi::page_size, sizeof batch);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (number(header.first) <= wanted && batch.magic == abi::audit_batch_magic && batch.sequence == wanted)
                return true;
        }
        return false;
    }

    // Copies the newest batch. False where none is kept, or none could be read in time.
    bool newest(abi::AuditBatch& batch) const {
        const std::uint64_t last = field(&abi::AuditStoreHeader::last);
        return last != 0 && find(last, batch);
    }
    // Sequence of the batch with which the store began: more than 1 where what was before is missing.
    std::uint64_t begun() const { return field(&abi::AuditStoreHeader::begun); }

private:
    std::uint64_t field(std::uint64_t abi::AuditStoreHeader::* which) const {
        return memory_.size() < abi::page_size ? 0 : __atomic_load_n(&(reinterpret_cast<const abi::AuditStoreHeader*>(memory_.data())->*which), __ATOMIC_ACQUIRE);
    }
    // A writer would have to go all around the store in the time of each copy.
    static constexpr unsigned most_attempts = 8;
    std::span<const std::byte> memory_;
};

} // namespace logging
