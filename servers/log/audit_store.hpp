// What is kept of the audit log, in a Memory that outlives the server: a restarted one goes on behind the last batch that its predecessor kept. It makes no kernel call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/audit.hpp"
#include "lib/base/result.hpp"

namespace logging {

class AuditStore {
public:
    static constexpr std::uint64_t least_capacity = 2; // batches: with one alone its place would be in use whenever a reader looks

    // Goes on with what is in `memory`, or begins anew where that is no store of this size whose last batch is whole. `memory`: page-aligned, the header's page and at least
    // least_capacity more, borrowed; readers see it, and nobody else writes to it. Errors: bad_argument, where it is too small.
    static base::Result<AuditStore> adopt(std::span<std::byte> memory);

    // Sequence of the newest batch that is kept; 0: none is.
    std::uint64_t last() const;
    // That batch; `last` is not 0.
    const abi::AuditBatch& newest() const { return *place(last()); }
    std::uint64_t capacity() const;
    // Sequence of the batch with which it began; 0: it is empty.
    std::uint64_t begun() const { return last() == 0 ? 0 : header().begun; }

    // Keeps the batch behind the last one, over the oldest one where there is no room. An empty store begins with any batch; the first batch of another boot begins it anew.
    // Errors: broken, where it is no batch or does not follow. Its digests are for whoever reads it to check.
    base::Result<void> add(const abi::AuditBatch& batch);
    // Gives up all that is kept.
    void clear() { begin(0, 1); }

private:
    explicit AuditStore(std::span<std::byte> memory) : memory_(memory) {}
    abi::AuditStoreHeader& header() const { return *reinterpret_cast<abi::AuditStoreHeader*>(memory_.data()); }
    abi::AuditBatch* place(std::uint64_t sequence) const;
    bool whole() const;
    void begin(std::uint64_t boot, std::uint64_t sequence);

    std::span<std::byte> memory_;
};

} // namespace logging
