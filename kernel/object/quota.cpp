#include "kernel/object/quota.hpp"

#include "kernel/memory/frames.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

alignas(Quota) constinit unsigned char root_storage[sizeof(Quota)] = {};
constinit Quota* root_quota = nullptr;

} // namespace

Quota::Quota(base::Ref<Quota> parent, std::uint64_t pages)
    : Object(object_kind), parent_(std::move(parent)), node_(parent_ ? &parent_->node_ : nullptr, pages), depth_(parent_ ? parent_->depth_ + 1 : 0) {}

void Quota::create_root(std::uint64_t pages) { root_quota = new (root_storage) Quota(nullptr, pages); }

Quota& Quota::root() { return *root_quota; }

base::Result<base::Ref<Quota>> Quota::create(base::Ref<Quota> parent, std::uint64_t pages) {
    if (pages == 0) return std::unexpected(abi::Error::bad_argument);
    if (parent->depth_ + 1 >= deepest && !base::weakened(base::Weakness::chain_depth)) return std::unexpected(abi::Error::bad_argument);
    Quota& payer = *parent;
    return make_object<Quota>(payer, std::move(parent), pages);
}

void Quota::inspect(abi::QuotaInfo& info) const {
    info.limit_pages = node_.limit();
    info.used_pages = node_.used();
    info.table_pages = node_.table_pages();
    for (std::size_t kind = 0; kind < static_cast<std::size_t>(abi::ObjectKind::count); ++kind) {
        info.object_count[kind] = node_.objects(kind);
    }
    if (!is_root()) return;
    info.free_pages = frames::free_count();
    info.total_pages = frames::total_count();
}

std::uint64_t allocate_charged(Quota& quota, Content content) {
    if (!quota.charge_pages(1)) return 0;
    const std::uint64_t frame = content == Content::zeroed ? frames::allocate_zeroed() : frames::allocate();
    if (!frame) {
        quota.release_pages(1);
        return 0;
    }
    charge_frame(quota, frame);
    return frame;
}

std::uint64_t allocate_charged_run(Quota& quota, std::size_t count) {
    if (!quota.charge_pages(count)) return 0;
    const std::uint64_t run = frames::allocate_run(count);
    if (!run) {
        quota.release_pages(count);
        return 0;
    }
    for (std::size_t i = 0; i < count; ++i) charge_frame(quota, run + i * abi::page_size);
    return run;
}

void charge_frame(Quota& quota, std::uint64_t frame) {
    // The frame may outlive every space and Memory of its quota, shared by a fork into another: it keeps the quota itself.
    quota.retain();
    frames::of(frame).payer = &quota;
}

void release_frame_charges(Quota& quota, std::uint32_t count) {
    quota.release_pages(count);
    quota.release_several(count);
}

} // namespace kernel
