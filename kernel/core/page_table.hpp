// What happens in the page table of a space: mapping, marking, protecting, copying, moving and the resolution of faults. The table is the only record of anonymous
// memory: an entry that is not present may be a mark, which says that the range it covers reads as zero and with which protection.
//
// No architecture instructions and no globals: memory comes from the environment, so host tests drive it. The caller holds the space's lock throughout.
//
// Environment:
//   uint64_t* table(uint64_t physical)           the words of a table
//   uint64_t allocate_table()                    zeroed, charged; 0 where memory ends
//   void drop_table(uint64_t physical)           frees one once no CPU can walk it any more
//   uint64_t allocate_frame()                    zeroed, charged, one reference; 0 where memory ends
//   uint64_t allocate_copy(uint64_t physical)    the same with the content of another frame
//   void retain(uint64_t physical)               one more reference
//   bool alone(uint64_t physical)                the frame has one reference
//   void drop(uint64_t physical)                 one reference less, once no TLB can hold the page any more
//   void changed(uint64_t address)               a page that a TLB may hold has other rights or another frame now
//   void top_changed(unsigned index, uint64_t entry)  an entry of the top table was set
#pragma once
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/entry.hpp"
#include "lib/base/result.hpp"

namespace kernel {

template <class Environment> class PageTable {
public:
    // `top` is the table at `top_level` (3 for a whole root, 2 for the 512 GiB below one of its entries); addresses given to the members are as programs use them,
    // their bits above the top table's reach are ignored.
    PageTable(Environment& environment, std::uint64_t top, unsigned top_level) : environment_(environment), top_(top), top_level_(top_level) {}

    // True where nothing is mapped or marked in the range.
    bool empty(std::uint64_t begin, std::uint64_t end) { return empty_in(top_, top_level_, base_of(begin), begin, end); }

    // Makes an empty, page-aligned range demand-zero. Errors: no_memory (what was marked stays), exists.
    base::Result<void> mark(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        return mark_in(top_, top_level_, base_of(begin), begin, end, entry::make_mark(protection));
    }

    // Enters one page; takes over the caller's reference to the frame. `flags`: bits of entry:: without the address. Errors: no_memory, exists.
    base::Result<void> map(std::uint64_t address, std::uint64_t frame, std::uint64_t flags) {
        std::uint64_t* const slot = TRY(leaf(address, true));
        if (*slot != 0)
            return base::fail(abi::Error::exists);
        set(slot, frame | flags);
        return {};
    }

    // Removes what is there. Errors: no_memory (a mark had to be split and could not; nothing else was lost).
    base::Result<void> unmap(std::uint64_t begin, std::uint64_t end) { return unmap_in(top_, top_level_, base_of(begin), begin, end); }

    // New protection for what is there; shared pages never get more than was allowed at map. Errors: no_memory.
    base::Result<void> protect(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        return protect_in(top_, top_level_, base_of(begin), begin, end, protection);
    }

    // Copies everything into an empty table of the same level: private pages become copy-on-write in both, shared pages and marks are entered again.
    // Errors: no_memory; the copy then is partial and is to be cleared.
    base::Result<void> fork(PageTable& copy) { return fork_in(top_, copy, copy.top_, top_level_, 0); }

    // Moves a range to an empty one that does not overlap it. Errors: no_memory (part was moved), exists.
    base::Result<void> move(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
        for (std::uint64_t offset = 0; offset < bytes; offset += abi::page_size) {
            std::uint64_t* const source = TRY(leaf(from + offset, false));
            if (source == nullptr || *source == 0)
                continue;
            std::uint64_t* const target = TRY(leaf(to + offset, true));
            if (*target != 0)
                return base::fail(abi::Error::exists);
            set(target, *source);
            set(source, 0);
            environment_.changed(from + offset);
        }
        return {};
    }

    // Makes an access at `address` (one of protection::) possible where it is allowed: demand-zero, copy-on-write, or a stale TLB. Gives the frame.
    // Errors: bad_pointer (not mapped, or not with this right), no_memory.
    base::Result<std::uint64_t> resolve(std::uint64_t address, abi::Protection access) {
        std::uint64_t* const slot = TRY(leaf(address, false));
        if (slot == nullptr || *slot == 0)
            return base::fail(abi::Error::bad_pointer);
        std::uint64_t value = *slot;
        if (entry::is_mark(value)) {
            const abi::Protection protection = entry::mark_protection(value);
            if (!allows(protection, access))
                return base::fail(abi::Error::bad_pointer);
            const std::uint64_t frame = environment_.allocate_frame();
            if (frame == 0)
                return base::fail(abi::Error::no_memory);
            set(slot, frame | private_flags(protection, true));
            return frame;
        }
        if ((value & entry::present) == 0)
            return base::fail(abi::Error::bad_pointer);
        if (access == abi::protection::execute && (value & entry::no_execute) != 0)
            return base::fail(abi::Error::bad_pointer);
        if (access == abi::protection::write && (value & entry::writable) == 0) {
            if ((value & entry::private_copy) == 0 || (value & entry::was_writable) == 0)
                return base::fail(abi::Error::bad_pointer);
            const std::uint64_t frame = value & entry::address_mask;
            if (!environment_.alone(frame)) {
                const std::uint64_t copy = environment_.allocate_copy(frame);
                if (copy == 0)
                    return base::fail(abi::Error::no_memory);
                set(slot, (value & ~entry::address_mask) | copy | entry::writable);
                environment_.changed(address);
                environment_.drop(frame);
                return copy;
            }
            set(slot, value | entry::writable);
            environment_.changed(address);
        }
        return value & entry::address_mask;
    }

    // The entry for an address, without changing anything; 0 where there is none. Marks of larger ranges are given as they are.
    std::uint64_t look_up(std::uint64_t address) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_;; --level) {
            const std::uint64_t value = environment_.table(physical)[index(address, level)];
            if (level == 0 || !entry::is_table(value, level))
                return value;
            physical = value & entry::address_mask;
        }
    }

    // Calls `visit(address, entry)` for every page with a frame in the range; `visit` may return a new value for the entry.
    template <class Visit> void for_each_page(std::uint64_t begin, std::uint64_t end, Visit&& visit) {
        pages_in(top_, top_level_, base_of(begin), begin, end, visit);
    }

    // Frees everything but the top table itself.
    void clear() { clear_in(top_, top_level_); }

    // Entry bits for a private (or anonymous) page. `writable_now`: the frame is not shared, a write needs no copy.
    static std::uint64_t private_flags(abi::Protection protection, bool writable_now) {
        std::uint64_t flags = entry::user | entry::private_copy | entry::accessed | entry::dirty;
        if ((protection & abi::protection::write) != 0)
            flags |= entry::was_writable | (writable_now ? entry::writable : 0);
        return flags | common_flags(protection);
    }
    static std::uint64_t shared_flags(abi::Protection protection, abi::Protection allowed) {
        std::uint64_t flags = entry::user | entry::accessed | entry::dirty;
        flags |= (allowed & abi::protection::write) != 0 ? entry::allow_write : 0;
        flags |= (allowed & abi::protection::execute) != 0 ? entry::allow_execute : 0;
        flags |= (protection & allowed & abi::protection::write) != 0 ? entry::writable : 0;
        return flags | common_flags((allowed & abi::protection::execute) != 0 ? protection : protection & ~abi::protection::execute);
    }

private:
    static constexpr unsigned index(std::uint64_t address, unsigned level) { return (address >> (12 + 9 * level)) & 511; }
    static constexpr std::uint64_t span(unsigned level) { return 1ull << (12 + 9 * level); }
    std::uint64_t base_of(std::uint64_t address) const { return address & ~(span(top_level_ + 1) - 1); }

    static bool allows(abi::Protection protection, abi::Protection access) {
        // The hardware cannot forbid reading what may be written or executed.
        return access == abi::protection::read ? protection != 0 : (protection & access) != 0;
    }
    static std::uint64_t common_flags(abi::Protection protection) {
        return (protection == 0 ? entry::hidden : entry::present) | ((protection & abi::protection::execute) != 0 ? 0 : entry::no_execute);
    }
    static std::uint64_t table_entry(std::uint64_t physical) { return physical | entry::present | entry::writable | entry::user | entry::accessed; }
    static void set(std::uint64_t* slot, std::uint64_t value) { __atomic_store_n(slot, value, __ATOMIC_RELEASE); }

    // Puts a table where an entry was empty or a mark, which every entry of the new table repeats.
    base::Result<void> push_down(std::uint64_t table, unsigned at, unsigned level) {
        std::uint64_t* const slot = &environment_.table(table)[at];
        const std::uint64_t fresh = environment_.allocate_table();
        if (fresh == 0)
            return base::fail(abi::Error::no_memory);
        if (entry::is_mark(*slot))
            for (unsigned i = 0; i < 512; ++i)
                environment_.table(fresh)[i] = *slot;
        set(slot, table_entry(fresh));
        if (level == top_level_)
            environment_.top_changed(at, *slot);
        return {};
    }

    // The last-level slot; null where there is no table and `create` is off (a mark above it is split all the same).
    base::Result<std::uint64_t*> leaf(std::uint64_t address, bool create) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_; level > 0; --level) {
            const unsigned at = index(address, level);
            std::uint64_t value = environment_.table(physical)[at];
            if (!entry::is_table(value, level)) {
                if (value == 0 && !create)
                    return nullptr;
                TRY(push_down(physical, at, level));
                value = environment_.table(physical)[at];
            }
            physical = value & entry::address_mask;
        }
        return &environment_.table(physical)[index(address, 0)];
    }

    // Calls `each(index, entry_begin, entry_end, covered)` for the entries of a table that the range touches.
    template <class Each> static base::Result<void> entries(unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end, Each&& each) {
        const std::uint64_t first = begin > base ? (begin - base) / span(level) : 0;
        for (std::uint64_t at = first; at < 512; ++at) {
            const std::uint64_t entry_begin = base + at * span(level);
            if (entry_begin >= end)
                break;
            const std::uint64_t entry_last = entry_begin + (span(level) - 1);
            TRY(each(static_cast<unsigned>(at), entry_begin, begin <= entry_begin && entry_last <= end - 1));
        }
        return {};
    }

    bool empty_in(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end) {
        return entries(level, base, begin, end, [&](unsigned at, std::uint64_t entry_begin, bool) -> base::Result<void> {
                   const std::uint64_t value = environment_.table(physical)[at];
                   if (value == 0 || (entry::is_table(value, level) && empty_in(value & entry::address_mask, level - 1, entry_begin, begin, end)))
                       return {};
                   return base::fail(abi::Error::exists);
               })
            .has_value();
    }

    base::Result<void> mark_in(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end, std::uint64_t mark) {
        return entries(level, base, begin, end, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<void> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            if (covered && level <= 2 && *slot == 0) {
                set(slot, mark);
                return {};
            }
            if (level == 0 || (*slot != 0 && !entry::is_table(*slot, level)))
                return base::fail(abi::Error::exists);
            if (*slot == 0)
                TRY(push_down(physical, at, level));
            return mark_in(environment_.table(physical)[at] & entry::address_mask, level - 1, entry_begin, begin, end, mark);
        });
    }

    base::Result<void> unmap_in(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end) {
        return entries(level, base, begin, end, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<void> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (value == 0)
                return {};
            if (level == 0 || (covered && entry::is_mark(value))) {
                set(slot, 0);
                if (entry::has_frame(value)) {
                    environment_.changed(entry_begin);
                    if ((value & entry::device) == 0)
                        environment_.drop(value & entry::address_mask);
                }
                return {};
            }
            if (!entry::is_table(value, level))
                TRY(push_down(physical, at, level));
            const std::uint64_t below = environment_.table(physical)[at] & entry::address_mask;
            TRY(unmap_in(below, level - 1, entry_begin, begin, end));
            if (covered) {
                set(slot, 0);
                if (level == top_level_)
                    environment_.top_changed(at, 0);
                environment_.drop_table(below);
            }
            return {};
        });
    }

    base::Result<void> protect_in(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        return entries(level, base, begin, end, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<void> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (value == 0)
                return {};
            if (entry::is_mark(value) && (level == 0 || covered)) {
                set(slot, entry::make_mark(protection));
                return {};
            }
            if (level == 0) {
                set(slot, protected_entry(value, protection));
                environment_.changed(entry_begin);
                return {};
            }
            if (!entry::is_table(value, level))
                TRY(push_down(physical, at, level));
            return protect_in(environment_.table(physical)[at] & entry::address_mask, level - 1, entry_begin, begin, end, protection);
        });
    }

    static std::uint64_t protected_entry(std::uint64_t value, abi::Protection protection) {
        const std::uint64_t frame = value & entry::address_mask;
        if ((value & entry::private_copy) != 0)
            // A page that may be shared since a fork becomes writable by the next fault, which looks at the count.
            return frame | private_flags(protection, false);
        const abi::Protection allowed = abi::protection::read | ((value & entry::allow_write) != 0 ? abi::protection::write : 0) |
                                        ((value & entry::allow_execute) != 0 ? abi::protection::execute : 0);
        return frame | shared_flags(protection, allowed) | (value & (entry::device | entry::uncached));
    }

    base::Result<void> fork_in(std::uint64_t physical, PageTable& copy, std::uint64_t target, unsigned level, std::uint64_t base) {
        for (unsigned at = 0; at < 512; ++at) {
            // Of a whole root only the guest half is the space's.
            if (level == 3 && at >= 256)
                break;
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (value == 0)
                continue;
            const std::uint64_t address = base + at * span(level);
            if (entry::is_table(value, level)) {
                TRY(copy.push_down(target, at, level));
                TRY(fork_in(value & entry::address_mask, copy, copy.environment_.table(target)[at] & entry::address_mask, level - 1, address));
                continue;
            }
            std::uint64_t shared = value;
            if (entry::has_frame(value) && (value & entry::device) == 0) {
                environment_.retain(value & entry::address_mask);
                if ((value & entry::private_copy) != 0 && (value & entry::writable) != 0) {
                    shared &= ~entry::writable;
                    set(slot, shared);
                    environment_.changed(address);
                }
            }
            set(&copy.environment_.table(target)[at], shared);
        }
        return {};
    }

    template <class Visit> void pages_in(std::uint64_t physical, unsigned level, std::uint64_t base, std::uint64_t begin, std::uint64_t end, Visit& visit) {
        (void)entries(level, base, begin, end, [&](unsigned at, std::uint64_t entry_begin, bool) -> base::Result<void> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            if (entry::is_table(*slot, level))
                pages_in(*slot & entry::address_mask, level - 1, entry_begin, begin, end, visit);
            else if (level == 0 && entry::has_frame(*slot)) {
                const std::uint64_t now = visit(entry_begin, *slot);
                if (now != *slot) {
                    set(slot, now);
                    environment_.changed(entry_begin);
                }
            }
            return {};
        });
    }

    void clear_in(std::uint64_t physical, unsigned level) {
        for (unsigned at = 0; at < (level == 3 ? 256u : 512u); ++at) {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (value == 0)
                continue;
            set(slot, 0);
            if (entry::is_table(value, level)) {
                clear_in(value & entry::address_mask, level - 1);
                environment_.drop_table(value & entry::address_mask);
            } else if (entry::has_frame(value) && (value & entry::device) == 0) {
                environment_.drop(value & entry::address_mask);
            }
        }
    }

    Environment& environment_;
    std::uint64_t top_;
    unsigned top_level_;
};

} // namespace kernel
