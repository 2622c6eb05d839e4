#include "kernel/object/lease.hpp"

#include "kernel/object/capability.hpp"
#include "kernel/core/grace.hpp"

namespace kernel {

namespace {

// One lock for the whole tree and the lists of uses: revocation is rare, and linking a use is short.
constinit SpinLock tree_lock;

} // namespace

Lease::Lease(base::Ref<Lease> parent) : Object(object_kind), parent_(std::move(parent)), node_(*this) {}

base::Result<base::Ref<Lease>> Lease::create(Quota& payer, base::Ref<Lease> parent) {
    auto lease = TRY(make_object<Lease>(payer, parent));
    if (!parent) return lease;
    LockGuard guard(tree_lock);
    if (parent->node_.revoked()) return std::unexpected(abi::Error::revoked);
    lease->node_.link_below(parent->node_);
    return lease;
}

Lease::~Lease() {
    LockGuard guard(tree_lock);
    node_.unlink();
}

bool LeaseUse::link(Lease& lease, std::uint64_t generation) {
    LockGuard guard(tree_lock);
    if (!lease.node_.valid(generation)) return false;
    linked_to_ = &lease;
    lease.uses_.push_back(*this);
    return true;
}

void LeaseUse::unlink() {
    LockGuard guard(tree_lock);
    if (!linked_to_) return;
    linked_to_->uses_.remove(*this);
    linked_to_ = nullptr;
}

void Lease::revoke() {
    {
        LockGuard guard(tree_lock);
        for (LeaseNode* node = &node_; node; node = node->next_within(node_)) node->bump();
    }
    // No slot under the subtree is good any more and no use can be added. What is there is ended one by one; the lock is given up between them.
    for (;;) {
        LeaseUse* use = nullptr;
        {
            LockGuard guard(tree_lock);
            for (LeaseNode* node = &node_; node && !use; node = node->next_within(node_)) {
                Lease& lease = of(*node);
                while (LeaseUse* first = lease.uses_.pop_front()) {
                    first->linked_to_ = nullptr;
                    if (first->begin_end()) {
                        use = first;
                        break;
                    }
                }
            }
        }
        if (!use) break;
        use->end_use();
    }
    // A look-up that saw the old generation may still be at work on another CPU.
    wait_for_grace_period();
}

base::Result<LeaseHold> derive_hold(const LeaseHold& source, const base::Ref<Lease>& lease) { return derive_under(source, lease); }

} // namespace kernel
