// A table of slots named by index and generation. No architecture code, no lock and no heap of its own, so the host tests walk it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "abi/types.hpp"
#include "kernel/core/index_within.hpp"
#include "lib/base/result.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

// Entry is movable and default-constructible; a default Entry is an empty slot. Pages is the allocator: `void* allocate_page()` gives a zeroed page of 4 KiB or
// null, `void free_page(void*)` takes it back. The caller serialises.
//
// A handle is generation << 32 | index. A slot's generation goes up when it is emptied, so an old handle never names a new entry; a slot whose
// generation is used up is retired.
template <class Entry, class Pages>
class SlotTable {
    static constexpr std::uint32_t none = UINT32_MAX;

public:
    // `handle` names what the slot holds; no_handle: it is empty. Whoever has the slot may look at that word in any order: no other entry ever has the same.
    struct Slot {
        Entry entry;
        std::atomic<abi::Handle> handle{abi::no_handle};
        std::uint32_t generation = 1;
        std::uint32_t next_free = none;
    };

    explicit SlotTable(Pages& pages) : pages_(pages) {}
    SlotTable(const SlotTable&) = delete;
    SlotTable& operator=(const SlotTable&) = delete;
    ~SlotTable() { clear([](Entry&&) {}); }

    // Puts an entry in a free slot. Errors: no_slots, no_memory. The entry is untouched where it fails.
    base::Result<abi::Handle> insert(Entry&& entry) {
        if (free_head_ == none) {
            if (auto grown = grow(); !grown) return std::unexpected(grown.error());
        }
        const std::uint32_t index = free_head_;
        Slot& slot = slot_at(index);
        const abi::Handle handle = (std::uint64_t{slot.generation} << 32) | index;
        free_head_ = slot.next_free;
        slot.entry = std::move(entry);
        slot.handle.store(handle, std::memory_order_relaxed);
        ++count_;
        return handle;
    }

    // The entry of a handle, or null. Good until the next change of the table.
    Entry* find(abi::Handle handle) {
        Slot* slot = slot_of(handle);
        return slot ? &slot->entry : nullptr;
    }
    // What `function` gives for the entry of a handle, or `otherwise`.
    template <class Result, class Function> Result with(abi::Handle handle, Result otherwise, Function&& function) {
        Slot& slot = slot_for(handle);
        if (!is_named(slot, handle)) return otherwise;
        return function(std::as_const(slot.entry));
    }
    // The slot that a handle names, or null. It stays where it is until free_pages().
    const Slot* find_slot(abi::Handle handle) { return slot_of(handle); }

    // Empties the slot and gives its entry to the caller. False where the handle names nothing.
    bool remove(abi::Handle handle, Entry& removed) {
        Slot* slot = slot_of(handle);
        if (!slot) return false;
        take(*slot, static_cast<std::uint32_t>(handle), removed);
        return true;
    }

    // Takes one entry after the other out of the table, from `cursor` on; false at the end. For tear-down in bounded steps: no more than `slots` are looked at, and `taken`
    // is left alone where those were empty.
    bool take_next(std::uint32_t& cursor, Entry& taken, std::size_t slots = SIZE_MAX) {
        for (; cursor < size_; --slots) {
            if (slots == 0) return true;
            const std::uint32_t index = cursor++;
            Slot& slot = slot_at(index);
            if (slot.handle.load(std::memory_order_relaxed) == abi::no_handle) continue;
            take(slot, index, taken);
            return true;
        }
        return false;
    }

    // Gives pages of an emptied table back, no more than `pages` and the directory; false at the end, before which nothing may be inserted again.
    bool free_pages(std::size_t pages) {
        free_head_ = none;
        for (; pages != 0 && size_ != 0; --pages) {
            size_ -= slots_per_chunk;
            pages_.free_page(directory_[size_ / slots_per_chunk]);
            // With the first chunk, which a look-up of anything goes to.
            if (size_ == 0) pages_.free_page(std::exchange(directory_, no_chunks));
        }
        return size_ != 0;
    }

    // Empties the table and gives its pages back.
    template <class Function>
    void clear(Function&& function) {
        std::uint32_t cursor = 0;
        Entry entry;
        while (take_next(cursor, entry)) function(std::move(entry));
        (void)free_pages(SIZE_MAX);
    }

    std::size_t count() const { return count_; }

private:
    static constexpr std::size_t slots_per_chunk = abi::page_size / sizeof(Slot) >= 64 ? 64 : 32;
    static constexpr std::size_t max_chunks = abi::page_size / sizeof(Slot*);
    static_assert(sizeof(Slot) * slots_per_chunk <= abi::page_size);

    Slot& slot_at(std::uint32_t index) { return directory_[index / slots_per_chunk][index % slots_per_chunk]; }

    // The slot that a handle names, if is_named: past the end it is the first one, which such a handle never names.
    Slot& slot_for(abi::Handle handle) { return slot_at(static_cast<std::uint32_t>(index_within(static_cast<std::uint32_t>(handle), size_))); }
    bool is_named(const Slot& slot, abi::Handle handle) const {
        const abi::Handle held = slot.handle.load(std::memory_order_relaxed);
        if (base::weakened(base::Weakness::handle_generation)) return held != abi::no_handle && static_cast<std::uint32_t>(handle) < size_;
        return held == handle && handle != abi::no_handle;
    }
    Slot* slot_of(abi::Handle handle) {
        Slot& slot = slot_for(handle);
        return is_named(slot, handle) ? &slot : nullptr;
    }

    void take(Slot& slot, std::uint32_t index, Entry& taken) {
        slot.handle.store(abi::no_handle, std::memory_order_relaxed);
        taken = std::move(slot.entry);
        slot.entry = Entry{};
        --count_;
        if (slot.generation == UINT32_MAX) return; // retired
        ++slot.generation;
        slot.next_free = free_head_;
        free_head_ = index;
    }

    base::Result<void> grow() {
        if (size_ == max_chunks * slots_per_chunk) return std::unexpected(abi::Error::no_slots);
        void* const page = pages_.allocate_page();
        if (!page) return std::unexpected(abi::Error::no_memory);
        if (directory_ == no_chunks) {
            void* const directory = pages_.allocate_page();
            if (!directory) {
                pages_.free_page(page);
                return std::unexpected(abi::Error::no_memory);
            }
            directory_ = static_cast<Slot**>(directory);
        }
        Slot* slots = static_cast<Slot*>(page);
        const std::uint32_t first = static_cast<std::uint32_t>(size_);
        for (std::uint32_t i = slots_per_chunk; i-- > 0;) {
            Slot* slot = new (slots + i) Slot{};
            slot->next_free = free_head_;
            free_head_ = first + i;
        }
        directory_[first / slots_per_chunk] = slots;
        size_ += slots_per_chunk;
        return {};
    }

    Pages& pages_;
    // Of a table without slots, so that a look-up needs not ask for that: an empty slot.
    inline static constinit Slot no_chunk[1] = {};
    inline static constinit Slot* no_chunks[1] = {no_chunk};

    Slot** directory_ = no_chunks;
    std::uint64_t size_ = 0; // slots, in whole chunks
    std::size_t count_ = 0;
    std::uint32_t free_head_ = none;
};

} // namespace kernel
