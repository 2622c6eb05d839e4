// The capabilities of one process.
#pragma once
#include <cstdint>
#include <utility>

#include "kernel/object/capability.hpp"
#include "kernel/core/slot_table.hpp"
#include "kernel/arch/spin_lock.hpp"

namespace kernel {

// Pages of a table come from the process' quota.
class TablePages {
public:
    explicit TablePages(Quota& quota) : quota_(quota) {}
    void* allocate_page();
    void free_page(void* page);

private:
    Quota& quota_;
};

// A slot, for the thread that goes on looking at it without the table's lock (see SlotTable).
using CapabilitySlot = SlotTable<Capability, TablePages>::Slot;
inline constinit const CapabilitySlot no_slot{};

// Look-up takes the table's lock, and a reference unless all is done under it.
class HandleTable {
public:
    explicit HandleTable(Quota& quota) : pages_(quota), slots_(pages_) {}

    // A slot for the capability. Errors: no_slots, no_memory, bad_state (the process has ended). The capability is untouched where it fails.
    base::Result<abi::Handle> insert(Capability&& capability);

    // What `function` gives for the capability in the slot, whatever became of its lease. Under the table's lock: it takes the references that it needs, drops no last one, and
    // of further locks takes none but by trying.
    // Errors: bad_handle, and the function's.
    template <class Function>
    auto with(abi::Handle handle, Function&& function) -> decltype(function(std::declval<const Capability&>())) {
        LockGuard guard(lock_);
        const Capability* slot = slots_.find(handle);
        if (!slot) return std::unexpected(abi::Error::bad_handle);
        return function(*slot);
    }

    // The same for a function that gives a bool; false where the handle names nothing, or the lock is not free.
    template <class Function> [[gnu::always_inline]] bool try_with(abi::Handle handle, Function&& function) {
        if (!lock_.try_lock()) [[unlikely]] return false;
        const bool result = slots_.with(handle, false, function);
        lock_.unlock();
        return result;
    }

    // A copy of what the slot holds, whatever became of its lease. Errors: bad_handle.
    base::Result<Capability> find_any(abi::Handle handle);

    // The slot that the handle names, or no_slot. For threads of the table's own process, none of which outlives its pages.
    const CapabilitySlot& slot(abi::Handle handle);

    // Takes the capability out of its slot. Others may run where this is long: without locks. Errors: bad_handle.
    base::Result<void> close(abi::Handle handle);

    // Closes all slots and refuses new ones. For the process' end. `pauses`: others run between two slots; the caller holds no lock then.
    void close_all(bool pauses);

    std::uint32_t count();

private:
    SpinLock lock_{LockRank::handle_table};
    bool closed_ BASE_GUARDED_BY(lock_) = false;
    TablePages pages_;
    SlotTable<Capability, TablePages> slots_ BASE_GUARDED_BY(lock_);
};

} // namespace kernel
