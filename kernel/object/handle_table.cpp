#include "kernel/object/handle_table.hpp"

#include "kernel/core/preempt.hpp"
#include "kernel/memory/kernel_map.hpp"
#include "kernel/memory/frames.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/object/quota.hpp"

namespace kernel {

void* TablePages::allocate_page() {
    const std::uint64_t frame = allocate_charged(quota_);
    return frame ? direct(frame) : nullptr;
}

void TablePages::free_page(void* page) { frames::release(physical_of(page)); }

base::Result<abi::Handle> HandleTable::insert(Capability&& capability) {
    Object& object = *capability.object;
    const abi::Rights rights = capability.rights;
    LockGuard guard(lock_);
    if (closed_) return std::unexpected(abi::Error::bad_state);
    capability.kind = static_cast<std::uint32_t>(object.kind());
    const base::Result<abi::Handle> handle = slots_.insert(std::move(capability));
    // Counted before the slot can be seen, so that a close on another CPU never counts below zero; and only where there is one: a count that is taken back may be the last, and
    // what that ends takes locks, under whatever the caller holds.
    if (handle) object.slot_added(rights);
    return handle;
}

base::Result<Capability> HandleTable::find_any(abi::Handle handle) {
    LockGuard guard(lock_);
    const Capability* slot = slots_.find(handle);
    if (!slot) return std::unexpected(abi::Error::bad_handle);
    return *slot;
}

const CapabilitySlot& HandleTable::slot(abi::Handle handle) {
    LockGuard guard(lock_);
    const CapabilitySlot* slot = slots_.find_slot(handle);
    return slot ? *slot : no_slot;
}

base::Result<void> HandleTable::close(abi::Handle handle) {
    Capability removed;
    {
        LockGuard guard(lock_);
        if (!slots_.remove(handle, removed)) return std::unexpected(abi::Error::bad_handle);
    }
    removed.object->slot_removed(removed.rights, true);
    return {};
}

void HandleTable::close_all(bool pauses) {
    // Looked at, and given back, under the lock at once.
    constexpr std::size_t slots_of_step = 1024, pages_of_step = 64;
    std::uint32_t cursor = 0;
    for (bool more = true; more;) {
        Capability taken;
        {
            LockGuard guard(lock_);
            closed_ = true;
            more = slots_.take_next(cursor, taken, slots_of_step);
        }
        if (taken.object) taken.object->slot_removed(taken.rights, pauses);
        taken = {};
        if (!pauses) continue;
        trim_stacks(); // it may have been a thread
        preemption_point();
    }
    for (bool more = true; more;) {
        {
            LockGuard guard(lock_);
            more = slots_.free_pages(pages_of_step);
        }
        if (pauses) preemption_point();
    }
}

std::uint32_t HandleTable::count() {
    LockGuard guard(lock_);
    return static_cast<std::uint32_t>(slots_.count());
}

} // namespace kernel
