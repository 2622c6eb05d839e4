#include "kernel/object/object.hpp"

#include "kernel/arch/cpu.hpp"
#include "kernel/memory/heap.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/core/dying.hpp"
#include "kernel/core/preempt.hpp"
#include "kernel/object/quota.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

bool Object::try_retain() {
    std::uint32_t count = references_.load(std::memory_order_relaxed);
    while (count != 0) {
        if (references_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    }
    return false;
}

void Object::slot_added(abi::Rights rights) {
    slots_.fetch_add(1, std::memory_order_relaxed);
    if (rights & abi::right::receive) receivers_.fetch_add(1, std::memory_order_relaxed);
}

void Object::slot_removed(abi::Rights rights, bool pauses) {
    if ((rights & abi::right::receive) && receivers_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        while (on_receivers_gone())
            if (pauses) preemption_point();
    }
    if (slots_.fetch_sub(1, std::memory_order_acq_rel) == 1) on_slots_gone();
}

void* allocate_object(Quota& payer, std::size_t bytes) {
    // A block of a slab that is there is charged already, but nothing more is made on a quota that was destroyed.
    return payer.node().closed() ? nullptr : payer.pool().allocate(bytes);
}

void release_object(void* memory, std::size_t bytes) { heap::release(memory, bytes); }

void Object::begin_charge(Quota& payer, std::size_t bytes) {
    payer.retain();
    payer_ = &payer;
    bytes_ = static_cast<std::uint32_t>(bytes);
    arch::Cpu& self = arch::this_cpu();
    number_ = ++self.objects_made * arch::max_cpus + self.index;
    payer.node().count_object(kind_, 1);
}

namespace {

// How many destructors run without a preemption point: a few hundred instructions each.
constexpr unsigned ends_of_step = 64;

} // namespace

void Object::destroy() {
    if (base::weakened(base::Weakness::deferred_end)) return destroy_alone();
    Dying& list = current_dying();
    // What waited before waits on: it went elsewhere, and may need a lock that is held here.
    Object* const before = list.first;
    Object*& place = ends_long() ? list.late : list.first;
    next_dying_ = place;
    place = this;
    if (!list.at_work) end_down_to(list, before);
}

void Object::end_down_to(Dying& list, const Object* before) {
    list.at_work = true;
    for (unsigned i = 0; i < ends_of_step && list.first != before; ++i) {
        Object& next = *list.first;
        list.first = next.next_dying_;
        next.destroy_alone();
    }
    list.at_work = false;
    if (!list.empty() && list.attention) list.attention->fetch_or(Dying::attention_bit, std::memory_order_relaxed);
}

DeferredEnds::DeferredEnds() : list_(current_dying()), at_work_(std::exchange(list_.at_work, true)) {}

DeferredEnds::~DeferredEnds() {
    list_.at_work = at_work_;
    if (!at_work_ && !list_.empty() && list_.attention) list_.attention->fetch_or(Dying::attention_bit, std::memory_order_relaxed);
}

void end_some_of_the_dying() {
    Dying& list = current_dying();
    if (!list.at_work) Object::end_down_to(list, nullptr);
}

void end_the_dying() {
    Dying& list = current_dying();
    // One that ends may wait for its turn somewhere, which comes by here.
    if (list.in_steps) return;
    list.in_steps = true;
    unsigned ends = 0;
    while (!list.empty()) {
        Object*& place = list.first ? list.first : list.late;
        Object& next = *place;
        place = next.next_dying_;
        next.end_in_steps();
        // What this one releases waits.
        list.at_work = true;
        next.destroy_alone();
        list.at_work = false;
        if (++ends % ends_of_step == 0) {
            trim_stacks(); // there may have been threads among them
            preemption_point();
        }
    }
    list.in_steps = false;
    if (ends != 0) trim_stacks();
}

void Object::destroy_alone() {
    // The payer outlives the charge: a quota may be the last reference's own payer's child.
    Quota* payer = payer_;
    const std::size_t bytes = bytes_;
    const abi::ObjectKind kind = kind_;
    this->~Object();
    if (!payer) return;
    payer->node().count_object(kind, -1);
    release_object(this, bytes);
    payer->release();
}

} // namespace kernel
