#include "servers/log/audit_keeper.hpp"

#include <cstring>

#include "native/kernel_stubs.hpp"

namespace logging {

void AuditKeeper::open(abi::Handle log, abi::Handle bell) {
    log_ = log;
    bell_ = bell;
    behind_ = true;
}

base::Result<void> AuditKeeper::keep(abi::Handle memory, std::span<std::byte> bytes) {
    store_ = TRY(AuditStore::adopt(bytes));
    memory_ = memory;
    return {};
}

std::uint64_t AuditKeeper::kept() const {
    if (store_ && store_->last() != 0)
        return store_->last();
    return taken_ != 0 ? taken_ : abi::audit_kept_nothing;
}

void AuditKeeper::begin_anew(base::Error reason) {
    failure_ = reason;
    taken_ = 0;
    if (store_)
        store_->clear();
}

void AuditKeeper::keep_batch() {
    auto added = store_ ? store_->add(batch_) : base::fail(base::Error::not_found);
    if (!added && store_) {
        begin_anew(added.error());
        added = store_->add(batch_);
    }
    if (!added)
        ++dropped_;
}

void AuditKeeper::take(unsigned most) {
    behind_ = false;
    if (log_ == abi::no_handle)
        return;
    for (unsigned count = 0; count < most; ++count) {
        const std::uint64_t before = kept();
        const auto sequence = native::call::audit_read(log_, before, batch_, bell_);
        if (!sequence && sequence.error() == base::Error::bad_argument && before != abi::audit_kept_nothing) {
            begin_anew(sequence.error());
            continue;
        }
        if (!sequence) {
            if (refusal_ != sequence.error())
                failure_ = sequence.error();
            refusal_ = sequence.error();
            return;
        }
        refusal_.reset();
        if (*sequence == 0)
            return;
        keep_batch();
        taken_ = *sequence;
    }
    behind_ = true;
}

AuditHead AuditKeeper::seal() {
    take(batches_at_seal);
    return head();
}

AuditHead AuditKeeper::head() const {
    AuditHead head;
    if (!store_ || store_->last() == 0)
        return head;
    const abi::AuditBatch& newest = store_->newest();
    head.sequence = newest.sequence;
    std::memcpy(head.digest.data(), newest.digest, head.digest.size());
    return head;
}

} // namespace logging
