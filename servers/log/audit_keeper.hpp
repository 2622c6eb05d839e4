// Takes the kernel's audit records into the store.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "lib/base/result.hpp"
#include "lib/base/sha256.hpp"
#include "servers/log/audit_store.hpp"

namespace logging {

struct AuditHead {
    std::uint64_t sequence = 0; // 0: there is none
    base::Sha256::Digest digest{};
};

class AuditKeeper {
public:
    // A turn of the server's loop, so that its other callers get theirs.
    static constexpr unsigned batches_at_once = 32;
    // Within one request for the head: more than the kernel holds back. Where somebody makes records as fast as they are taken, the rest waits.
    static constexpr unsigned batches_at_seal = 256;

    // One that takes nothing: a node without an audit log.
    AuditKeeper() = default;
    // From here on it takes batches, and drops them while there is no store: whoever makes records must not wait for good. `log`: the kernel's, with `receive`. `bell`: a
    // notification with `send`. Both are borrowed.
    void open(abi::Handle log, abi::Handle bell);
    // From here on it keeps what it takes. `memory`: Memory of the store, mapped at `bytes`. Both are borrowed. Errors: those of AuditStore::adopt.
    base::Result<void> keep(abi::Handle memory, std::span<std::byte> bytes);

    // Takes up to `most` batches. Afterwards `behind` says whether there may be more; where there are not, the bell is signalled once there are. Where the kernel cannot go on behind
    // what is kept, or gives what does not follow it, the store begins anew.
    void take(unsigned most = batches_at_once);
    bool behind() const { return behind_; }
    // Whether the kernel refused to give the next batch for a reason that goes by: nobody signals when it has gone.
    bool must_try_again() const { return refusal_ == base::Error::bad_state; }

    // Takes all that the kernel has recorded up to now. Then as head().
    AuditHead seal();
    // Of the newest batch that is kept. There is none where nothing is kept.
    AuditHead head() const;
    // Memory of the store; no_handle where there is none.
    abi::Handle memory() const { return memory_; }

    // Batches that were taken and are not kept.
    std::uint64_t dropped() const { return dropped_; }
    // Why the last attempt to take one was refused.
    std::optional<base::Error> refusal() const { return refusal_; }
    // Sequence of the batch with which the store began; 0: there is none.
    std::uint64_t begun() const { return store_ ? store_->begun() : 0; }
    // What went wrong since this was asked for last.
    std::optional<base::Error> failure() { return std::exchange(failure_, std::nullopt); }

private:
    std::uint64_t kept() const;
    void begin_anew(base::Error reason);
    void keep_batch();

    abi::Handle log_ = abi::no_handle, memory_ = abi::no_handle, bell_ = abi::no_handle;
    std::optional<AuditStore> store_;
    bool behind_ = false;
    std::uint64_t taken_ = 0; // sequence of the last batch, kept or not; 0: none
    std::uint64_t dropped_ = 0;
    std::optional<base::Error> refusal_, failure_;
    abi::AuditBatch batch_{}; // the kernel writes here: readers see none before it is whole
};

} // namespace logging
