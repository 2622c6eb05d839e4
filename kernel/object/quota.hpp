// Quota: the right to use memory, in pages, as a tree. Frames, page tables and kernel objects alike are charged to one.
#pragma once
#include <cstdint>

#include "abi/info.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/memory/payer.hpp"
#include "kernel/object/object.hpp"
#include "kernel/core/quota_node.hpp"

namespace kernel {

class Quota final : public Object {
public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::quota;
    static constexpr abi::Rights rights = abi::right::duplicate | abi::right::transfer | abi::right::inspect | abi::right::charge | abi::right::control;

    // What is walked at every charge is no longer than this.
    static constexpr std::uint32_t deepest = 16;

    // Errors: no_memory, bad_argument (0 pages, or too many quotas below each other).
    static base::Result<base::Ref<Quota>> create(base::Ref<Quota> parent, std::uint64_t pages);
    // The quota of the node, made at boot over all pages that the kernel does not need for itself.
    static Quota& root();
    static void create_root(std::uint64_t pages);

    Quota(base::Ref<Quota> parent, std::uint64_t pages);

    bool charge_pages(std::uint64_t pages) { return node_.charge_pages(pages); }
    void release_pages(std::uint64_t pages) { node_.release_pages(pages); }
    bool charge_table() { return node_.charge_table(); }
    void release_table() { node_.release_table(); }

    const QuotaNode& node() const { return node_; }
    QuotaNode& node() { return node_; }
    // Of the blocks that this quota alone pays for.
    heap::Pool& pool() { return pool_; }
    bool is_root() const { return !parent_; }

    // The figures of this quota alone; the root also tells what the machine has free, and has in all.
    void inspect(abi::QuotaInfo& info) const;

private:
    base::Ref<Quota> parent_;
    QuotaNode node_;
    heap::Pool pool_{this};
    std::uint32_t depth_ = 0;
};

// Makes `quota` the payer of a frame without one; the page was charged already.
void charge_frame(Quota& quota, std::uint64_t frame);

} // namespace kernel
