#include "kernel/object/lease.hpp"

#include "kernel/object/capability.hpp"
#include "kernel/core/grace.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/preempt.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// How many uses a revocation takes from their lists before it gives the lock to others.
constexpr unsigned steps_in_one_hold = 64;

} // namespace

constinit SpinLock lease_tree_lock{LockRank::lease_tree};

Lease::Lease(base::Ref<Lease> parent) : Object(object_kind), parent_(std::move(parent)), node_(*this), depth_(parent_ ? parent_->depth_ + 1 : 0) {}

base::Result<base::Ref<Lease>> Lease::create(Quota& payer, base::Ref<Lease> parent) {
    if (parent && parent->depth_ + 1 >= deepest && !base::weakened(base::Weakness::chain_depth)) return std::unexpected(abi::Error::bad_argument);
    auto lease = TRY(make_object<Lease>(payer, parent));
    if (!parent) return lease;
    LockGuard guard(lease_tree_lock);
    if (parent->node_.revoked()) return std::unexpected(abi::Error::revoked);
    lease->node_.link_below(parent->node_);
    return lease;
}

Lease::~Lease() {
    LockGuard guard(lease_tree_lock);
    node_.unlink();
#ifdef KERNEL_CHECKS
    if (!uses_.empty()) panic("a lease is gone and has uses");
#endif
}

bool LeaseUse::is_linked_where_valid(const Lease& lease, std::uint64_t generation) const {
    LockGuard guard(lease_tree_lock);
    return linked_to_ == &lease || !lease.node_.valid(generation);
}

bool LeaseUse::link(Lease& lease, std::uint64_t generation) {
    LockGuard guard(lease_tree_lock);
    if (!lease.node_.valid(generation)) return false;
    linked_to_ = &lease;
    lease.uses_.push_back(*this);
    return true;
}

void LeaseUse::unlink() {
    LockGuard guard(lease_tree_lock);
    if (!linked_to_) return;
    linked_to_->uses_.remove(*this);
    linked_to_ = nullptr;
}

bool Lease::is_overtaken() const {
    for (const Lease* above = parent_.get(); above; above = above->parent_.get())
        if (above->ending_ == Ending::begun) return true;
    return false;
}

bool Lease::has_ended() const {
    for (const Lease* lease = this; lease; lease = lease->parent_.get())
        if (lease->ending_ == Ending::over) return true;
    return false;
}

// Each lease is walked once, however many ask for it; whose end is waited for was given the right to end it, or gave it.
bool Lease::begin_revocation() {
    for (unsigned attempt = 0;; ++attempt) {
        {
            LockGuard guard(lease_tree_lock);
            if (has_ended()) return false;
            if (ending_ == Ending::none && !is_overtaken()) {
                ending_ = Ending::begun;
                return true;
            }
        }
        if (caller_ends()) return false;
        wait_for_turn(attempt);
    }
}

// In steps. A lease below that is not reached yet may get children, which come behind it in the walk; one that is, may not.
bool Lease::bump_all() {
    Lease* at = this;
    base::Ref<Lease> held;
    while (at) {
        base::Ref<Lease> left; // a last reference ends outside of the lock, which the destructor takes
        {
            LockGuard guard(lease_tree_lock);
            if (give_way()) return false;
            LeaseNode* node = &at->node_;
            at = nullptr;
            left = std::move(held);
            for (unsigned steps = 0; node; node = node->next_within(node_), ++steps) {
                // One in destruction cannot be held: the step ends behind it.
                if (steps >= steps_in_one_hold && of(*node).try_retain()) {
                    at = &of(*node);
                    held = base::Ref<Lease>::adopt(*at);
                    break;
                }
                node->bump();
            }
        }
        left.reset();
        preemption_point();
    }
    return true;
}

// No slot under the subtree is good any more; no use and no lease can be added. What is there is ended one by one; the lock is given up between them.
// A lease that is held stays in the tree with all above it, so the walk goes on from the one it was at.
bool Lease::end_uses() {
    Lease* at = this;
    base::Ref<Lease> held;
    while (at) {
        LeaseUse* use = nullptr;
        base::Ref<Lease> left; // a last reference ends outside of the lock, which the destructor takes
        {
            LockGuard guard(lease_tree_lock);
            if (give_way()) return false;
            unsigned steps = 0;
            while (!use && steps++ < steps_in_one_hold) {
                if (LeaseUse* first = at->uses_.pop_front()) {
                    first->linked_to_ = nullptr;
                    if (first->begin_end()) use = first;
                    continue;
                }
                LeaseNode* node = at->node_.next_within(node_);
                // One in destruction has no uses and no children.
                while (node && !of(*node).try_retain()) node = node->next_within(node_);
                at = node ? &of(*node) : nullptr;
                left = std::move(held);
                if (at) held = base::Ref<Lease>::adopt(*at);
                break;
            }
        }
        if (use) use->end_use();
        left.reset();
        preemption_point();
    }
    return true;
}

bool Lease::give_way() {
    if (!is_overtaken()) return false;
    ending_ = Ending::none;
    return true;
}

void Lease::revoke() {
    while (begin_revocation()) {
        if (!bump_all() || !end_uses()) continue;
        // A look-up that saw the old generation may still be at work on another CPU.
        if (!base::weakened(base::Weakness::revoke_grace)) wait_for_grace_period();
        LockGuard guard(lease_tree_lock);
        ending_ = Ending::over;
        return;
    }
}

base::Result<LeaseHold> derive_hold(const LeaseHold& source, const base::Ref<Lease>& lease) { return derive_under(source, lease); }

} // namespace kernel
