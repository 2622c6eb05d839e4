#include "servers/log/audit_keeper.hpp"

#include <cstring>

#include "native/kernel_stubs.hpp"

namespace logging {

base::Result<void> AuditKeeper::open(abi::Handle log, abi::Handle memory, std::span<std::byte> bytes, abi::Handle bell) {
    store_ = TRY(AuditStore::adopt(bytes));
    log_ = log;
    memory_ = memory;
    bell_ = bell;
    behind_ = true;
    return {};
}

void AuditKeeper::take(unsigned most) {
    if (!store_ || failed_)
        return;
    const auto keep = [&]() -> base::Result<bool> {
        const std::uint64_t sequence = TRY(native::call::audit_read(log_, store_->last(), batch_, bell_));
        if (sequence != 0)
            TRY(store_->add(batch_));
        return sequence != 0;
    };
    for (unsigned count = 0; count < most; ++count) {
        const auto kept = keep();
        behind_ = kept && *kept;
        if (!kept) {
            failed_ = true;
            failure_ = kept.error();
        }
        if (!behind_)
            return;
    }
}

AuditHead AuditKeeper::seal() {
    take(batches_at_seal);
    AuditHead head;
    if (!store_ || failed_ || store_->last() == 0)
        return head;
    const abi::AuditBatch& newest = store_->newest();
    head.sequence = newest.sequence;
    std::memcpy(head.digest.data(), newest.digest, head.digest.size());
    return head;
}

} // namespace logging
