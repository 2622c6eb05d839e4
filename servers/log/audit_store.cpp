#include "servers/log/audit_store.hpp"

#include <algorithm>
#include <cstring>

namespace logging {

namespace {

bool is_batch(const abi::AuditBatch& batch) {
    return batch.magic == abi::audit_batch_magic && batch.count >= 1 && batch.count <= abi::audit_batch_records && batch.sequence != 0 && batch.sequence != UINT64_MAX;
}

void publish(std::uint64_t& field, std::uint64_t value) { __atomic_store_n(&field, value, __ATOMIC_RELEASE); }

} // namespace

base::Result<AuditStore> AuditStore::adopt(std::span<std::byte> memory) {
    const std::size_t pages = memory.size() / abi::page_size;
    if (pages < 1 + least_capacity)
        return base::fail(base::Error::bad_argument);
    AuditStore store(memory.first(std::min<std::size_t>(pages, UINT32_MAX) * abi::page_size));
    if (!store.whole())
        store.clear();
    return store;
}

std::uint64_t AuditStore::last() const { return header().last; }

std::uint64_t AuditStore::capacity() const { return memory_.size() / abi::page_size - 1; }

abi::AuditBatch* AuditStore::place(std::uint64_t sequence) const {
    return reinterpret_cast<abi::AuditBatch*>(memory_.data() + (1 + sequence % capacity()) * abi::page_size);
}

// Whether somebody kept batches here. A predecessor that died while it wrote one had told of the batch before.
bool AuditStore::whole() const {
    const abi::AuditStoreHeader& found = header();
    if (found.magic != abi::audit_store_magic || found.capacity != capacity())
        return false;
    if (found.last == 0)
        return found.first == 1;
    if (found.first == 0 || found.first > found.last || found.last - found.first >= capacity() || found.begun == 0 || found.begun > found.first)
        return false;
    const abi::AuditBatch& batch = newest();
    return is_batch(batch) && batch.sequence == found.last && batch.boot == found.boot;
}

void AuditStore::begin(std::uint64_t boot, std::uint64_t sequence) {
    abi::AuditStoreHeader& fresh = header();
    publish(fresh.last, 0);
    publish(fresh.first, sequence);
    publish(fresh.begun, sequence);
    publish(fresh.boot, boot);
    fresh.capacity = static_cast<std::uint32_t>(capacity());
    fresh.magic = abi::audit_store_magic;
}

base::Result<void> AuditStore::add(const abi::AuditBatch& batch) {
    abi::AuditStoreHeader& kept = header();
    if (!is_batch(batch))
        return base::fail(base::Error::broken);
    const bool begins = kept.last == 0 || (batch.sequence == 1 && batch.boot != kept.boot);
    if (!begins && (batch.boot != kept.boot || batch.sequence != kept.last + 1))
        return base::fail(base::Error::broken);
    if (begins)
        begin(batch.boot, batch.sequence);
    if (batch.sequence - kept.first >= capacity())
        publish(kept.first, batch.sequence - capacity() + 1);
    // Whoever reads a byte of the new batch sees that the old one is gone.
    __atomic_thread_fence(__ATOMIC_RELEASE);
    std::memcpy(place(batch.sequence), &batch, sizeof batch);
    publish(kept.last, batch.sequence);
    return {};
}

} // namespace logging
