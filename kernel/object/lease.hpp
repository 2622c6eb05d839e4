// Lease: withdrawable delegation. Capabilities, mappings, bindings and blocked calls lie under a lease and end with it.
#pragma once
#include <cstdint>

#include "kernel/core/lease_node.hpp"
#include "kernel/object/object.hpp"
#include "kernel/arch/spin_lock.hpp"
#include "lib/base/list.hpp"

namespace kernel {

class Lease;

// One lock for the whole tree and the lists of uses: revocation is rare, and linking a use is short.
extern constinit SpinLock lease_tree_lock;

// Something that a lease's revocation ends: a mapping, a binding, a call that is blocked. It links itself while it lies under a lease.
class LeaseUse : public base::ListNodeOf<LeaseUse> {
public:
    LeaseUse() = default;
    LeaseUse(const LeaseUse&) = delete;
    LeaseUse& operator=(const LeaseUse&) = delete;

    // Links to the lease; false where it was revoked since `generation` (nothing is linked then). The caller keeps the lease alive until it has unlinked.
    bool link(Lease& lease, std::uint64_t generation);
    // For checks: false where it is not linked though the lease still has the generation.
    bool is_linked_where_valid(const Lease& lease, std::uint64_t generation) const;
    // Safe on what is not linked, and after the revocation took it off the list.
    void unlink();

protected:
    ~LeaseUse() = default;

private:
    friend class Lease;
    // First step of the end: keeps what end_use needs alive, or does a short non-blocking end by itself.
    // False: the object is going away by itself or all is done, end_use is not called.
    virtual bool begin_end() BASE_REQUIRES(lease_tree_lock) = 0;
    // The rest, without locks; drops what begin_end kept.
    virtual void end_use() {}
    Lease* linked_to_ BASE_GUARDED_BY(lease_tree_lock) = nullptr;
};

class Lease final : public Object {
    // The tree's nodes are leases: from a node of the walk back to its lease.
    struct Node : LeaseNode {
        explicit Node(Lease& lease) : lease(lease) {}
        Lease& lease;
    };

public:
    static constexpr abi::ObjectKind object_kind = abi::ObjectKind::lease;

    // What is walked for a capability that is put under a lease, and up from the end of a revocation, is no longer than this.
    static constexpr std::uint32_t deepest = 64;

    // A lease below `parent` (null: a top). Errors: no_memory, revoked, bad_argument (too many below each other).
    static base::Result<base::Ref<Lease>> create(Quota& payer, base::Ref<Lease> parent);

    explicit Lease(base::Ref<Lease> parent);
    ~Lease() override;

    const LeaseNode& node() const { return node_; }

    // Ends everything under this lease and its descendants: first all slots, then the uses. Returns when the last use is gone, or the caller is to end while another call is at
    // work on it. In steps; no locks held.
    void revoke();

private:
    // How far the revocation of this very lease is. A lease takes nothing any more once it was revoked, so there is no second one.
    enum class Ending : std::uint8_t { none, begun, over };

    // Whether the caller is the one to end it; else it has ended with all below it, by others, or the caller need not know.
    bool begin_revocation();
    // The two walks. False: a lease above is being ended, whose walk comes by here; this one was given up.
    bool bump_all();
    bool end_uses();
    bool give_way() BASE_REQUIRES(lease_tree_lock);
    // This lease or one above it has ended, or one above it is being ended.
    bool has_ended() const BASE_REQUIRES(lease_tree_lock);
    bool is_overtaken() const BASE_REQUIRES(lease_tree_lock);
    friend class LeaseUse;
    base::Ref<Lease> parent_;
    Node node_;
    std::uint32_t depth_ = 0;
    Ending ending_ BASE_GUARDED_BY(lease_tree_lock) = Ending::none;
    static Lease& of(LeaseNode& node) { return static_cast<Node&>(node).lease; }
    base::List<LeaseUse, LeaseUse> uses_ BASE_GUARDED_BY(lease_tree_lock);
};

} // namespace kernel
