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

    // One that keeps nothing: a node without an audit log.
    AuditKeeper() = default;
    // `log`: the kernel's, with `receive`. `memory`: Memory of the store, mapped at `bytes`. `bell`: a notification with `send`. All are borrowed.
    // Errors: those of AuditStore::adopt.
    base::Result<void> open(abi::Handle log, abi::Handle memory, std::span<std::byte> bytes, abi::Handle bell);

    // Takes up to `most` batches. Afterwards `behind` says whether there may be more; where there are not, the bell is signalled once there are. Where audit_read fails, or gave
    // what does not follow, the keeper keeps nothing more.
    void take(unsigned most = batches_at_once);
    bool behind() const { return behind_; }

    // With all that the kernel has recorded up to now. There is none where nothing is kept, or not any more: an old head would stand for what is missing behind it, too.
    AuditHead seal();
    // Memory of the store; no_handle where there is none.
    abi::Handle memory() const { return memory_; }
    // Why it keeps nothing any more. Told once.
    std::optional<base::Error> failure() { return std::exchange(failure_, std::nullopt); }

private:
    abi::Handle log_ = abi::no_handle, memory_ = abi::no_handle, bell_ = abi::no_handle;
    std::optional<AuditStore> store_;
    bool behind_ = false, failed_ = false;
    std::optional<base::Error> failure_;
    abi::AuditBatch batch_{}; // the kernel writes here: readers see none before it is whole
};

} // namespace logging
