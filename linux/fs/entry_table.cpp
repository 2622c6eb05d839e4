#include "linux/fs/ram_file_system.hpp"

#include <new>

namespace personality {

namespace {
std::uint32_t hash_of(std::string_view name) {
    std::uint32_t hash = 2166136261u; // FNV-1a
    for (const char letter : name)
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619u;
    return hash;
}
} // namespace

LinuxResult<void> LayerOrigins::add(LayerOrigin origin) {
    auto* items = new (std::nothrow) LayerOrigin[count_ + 1];
    if (items == nullptr)
        return fail(Errno::ENOMEM);
    for (std::uint32_t i = 0; i < count_; ++i)
        items[i] = items_[i];
    items[count_] = origin;
    delete[] items_;
    items_ = items;
    ++count_;
    return {};
}

RamEntry* EntryTable::find(std::string_view name) const {
    if (bucket_count_ == 0)
        return nullptr;
    for (RamEntry* entry = buckets_[hash_of(name) & (bucket_count_ - 1)]; entry != nullptr; entry = entry->next_in_bucket)
        if (entry->name() == name)
            return entry;
    return nullptr;
}

LinuxResult<void> EntryTable::grow() {
    const std::uint32_t new_count = bucket_count_ == 0 ? 8 : bucket_count_ * 2;
    auto** buckets = new (std::nothrow) RamEntry*[new_count]();
    if (buckets == nullptr)
        return fail(Errno::ENOSPC);
    for (RamEntry& entry : ordered_) {
        RamEntry*& bucket = buckets[hash_of(entry.name()) & (new_count - 1)];
        entry.next_in_bucket = bucket;
        bucket = &entry;
    }
    delete[] buckets_;
    buckets_ = buckets;
    bucket_count_ = new_count;
    return {};
}

LinuxResult<void> EntryTable::insert(base::Ref<RamEntry> entry) {
    if (count_ >= bucket_count_) {
        if (auto grown = grow(); !grown && bucket_count_ == 0)
            return grown;
    }
    RamEntry& added = *entry.leak();
    RamEntry*& bucket = buckets_[hash_of(added.name()) & (bucket_count_ - 1)];
    added.next_in_bucket = bucket;
    bucket = &added;
    added.position = ++last_position_;
    ordered_.push_back(added);
    ++count_;
    return {};
}

base::Ref<RamEntry> EntryTable::remove(RamEntry& entry) {
    RamEntry** link = &buckets_[hash_of(entry.name()) & (bucket_count_ - 1)];
    while (*link != &entry)
        link = &(*link)->next_in_bucket;
    *link = entry.next_in_bucket;
    entry.next_in_bucket = nullptr;
    ordered_.remove(entry);
    --count_;
    return base::Ref<RamEntry>::adopt(entry);
}

void EntryTable::clear() {
    while (RamEntry* entry = ordered_.pop_front())
        entry->release();
    delete[] buckets_;
    buckets_ = nullptr;
    bucket_count_ = count_ = 0;
}

} // namespace personality
