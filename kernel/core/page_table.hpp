// What happens in the page table of a space: mapping, marking, protecting, copying, moving and the resolution of faults. The table is the only record of anonymous
// memory: an entry that is not present may be a mark, which says that the range it covers reads as zero and with which protection.
//
// No architecture instructions and no globals: memory comes from the environment, so host tests drive it. The caller holds the space's lock throughout one call.
//
// What a program can make large is done in steps: a Walk says how far a range was worked off and how much may be done now. Between two steps the lock may be given up;
// whoever does so sees to it that the rest of the range still means the same.
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
#include <algorithm>
#include <cstdint>

#include "abi/types.hpp"
#include "kernel/arch/entry.hpp"
#include "lib/base/result.hpp"

namespace kernel {

// A range in work. Counted is what is touched, not what is addressed: an entry that covers 512 GiB of nothing is one.
struct Walk {
    static constexpr std::uint64_t unlimited = UINT64_MAX;
    // Of one entry the looking is 1. These come on top.
    static constexpr std::uint64_t frame_work = 32; // filled: a page's worth of stores
    static constexpr std::uint64_t table_work = 48;
    static constexpr std::uint64_t drop_work = 8;

    Walk(std::uint64_t from, std::uint64_t to, std::uint64_t budget = unlimited) : begin(from), end(to), at(from), work(budget) {}
    bool done() const { return at >= end; }
    bool stopped() const { return work == 0; }
    void spend(std::uint64_t amount) { work = work == unlimited ? work : work > amount ? work - amount : 0; }

    std::uint64_t begin; // page-aligned
    std::uint64_t end;
    std::uint64_t at; // done up to here
    std::uint64_t work;
};

template <class Environment> class PageTable {
public:
    // `top` is the table at `top_level` (3 for a whole root, 2 for the 512 GiB below one of its entries); addresses given to the members are as programs use them,
    // their bits above the top table's reach are ignored.
    PageTable(Environment& environment, std::uint64_t top, unsigned top_level) : environment_(environment), top_(top), top_level_(top_level) {}

    // Each of the members that take a Walk does at least one entry, and comes back without an error where the work is done (walk.done()) or the budget is (walk.stopped()).
    // Those without one do all in one piece.

    // True where nothing is mapped or marked in what was walked.
    bool empty(Walk& walk) { return empty_in(top_, top_level_, base_of(walk.begin), walk).has_value(); }
    bool empty(std::uint64_t begin, std::uint64_t end) { return in_one_piece(begin, end, [&](Walk& walk) { return empty(walk); }); }

    // Makes an empty, page-aligned range demand-zero. Errors: no_memory (what was marked stays), exists.
    base::Result<void> mark(Walk& walk, abi::Protection protection) {
        return mark_in(top_, top_level_, base_of(walk.begin), walk, entry::make_mark(protection));
    }
    base::Result<void> mark(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        return in_one_piece(begin, end, [&](Walk& walk) { return mark(walk, protection); });
    }

    // Enters one page; takes over the caller's reference to the frame. `flags`: bits of entry:: without the address. Errors: no_memory, exists.
    base::Result<void> map(std::uint64_t address, std::uint64_t frame, std::uint64_t flags) {
        std::uint64_t* const slot = TRY(leaf(address, true));
        if (*slot != 0)
            return base::fail(abi::Error::exists);
        set(slot, frame | flags);
        return {};
    }

    // Enters pages of a range of one last-level table wherever nothing is: `take(address)` gives a frame with a reference for the entry, or 0. Nothing is allocated, not even that
    // table, and nothing that is there changes.
    template <class Take> void fill(std::uint64_t begin, std::uint64_t end, std::uint64_t flags, Take&& take) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_; level > 0; --level) {
            const std::uint64_t value = environment_.table(physical)[index(begin, level)];
            if (!entry::is_table(value, level))
                return;
            physical = value & entry::address_mask;
        }
        std::uint64_t* slot = &environment_.table(physical)[index(begin, 0)];
        for (std::uint64_t address = begin; address != end; address += abi::page_size, ++slot) {
            if (*slot != 0)
                continue;
            if (const std::uint64_t frame = take(address); frame != 0)
                set(slot, frame | flags);
        }
    }

    // Removes what is there. Errors: no_memory (a mark had to be split and could not; nothing else was lost).
    base::Result<void> unmap(Walk& walk) { return unmap_in(top_, top_level_, base_of(walk.begin), walk); }
    base::Result<void> unmap(std::uint64_t begin, std::uint64_t end) {
        return in_one_piece(begin, end, [&](Walk& walk) { return unmap(walk); });
    }

    // New protection for what is there; shared pages never get more than was allowed at map. Errors: no_memory.
    base::Result<void> protect(Walk& walk, abi::Protection protection) { return protect_in(top_, top_level_, base_of(walk.begin), walk, protection); }
    base::Result<void> protect(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        return in_one_piece(begin, end, [&](Walk& walk) { return protect(walk, protection); });
    }

    // Makes that no mark reaches across an address. Errors: no_memory (all is as before to whoever looks).
    base::Result<void> split(std::uint64_t address) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_; level > 0 && address % span(level) != 0; --level) {
            const unsigned at = index(address, level);
            if (environment_.table(physical)[at] == 0)
                return {};
            if (!entry::is_table(environment_.table(physical)[at], level))
                TRY(push_down(physical, at, level));
            physical = environment_.table(physical)[at] & entry::address_mask;
        }
        return {};
    }

    // Copies what is private, marks and device pages into a table of the same level that is empty there: private pages become copy-on-write in both. Pages that are shared
    // stay out: they come by faults, through what the copy's owner knows of them. The range is the whole of what the table reaches.
    // Errors: no_memory; the copy then is partial and is to be cleared.
    base::Result<void> fork(Walk& walk, PageTable& copy) { return fork_in(top_, copy, copy.top_, top_level_, base_of(walk.begin), walk); }
    base::Result<void> fork(PageTable& copy) {
        return in_one_piece(0, top_level_ == 3 ? span(3) * 256 : span(top_level_ + 1), [&](Walk& walk) { return fork(walk, copy); });
    }

    // A range goes to an empty one, `to`, that does not overlap it, in two walks over the source. The first makes everything in the target that needs memory: marks, and
    // tables for the pages; where it fails, the target is to be unmapped, and the source is whole. No mark may reach across the source's edges (split).
    // Errors: no_memory, exists.
    base::Result<void> prepare_move(Walk& walk, std::uint64_t to) {
        return move_in(top_, top_level_, base_of(walk.begin), walk, to - walk.begin, [&](std::uint64_t* slot, std::uint64_t begin, std::uint64_t end) -> base::Result<void> {
            if (entry::is_mark(*slot)) {
                // A mark goes in one piece, 1 GiB at most: counted, and far from its budget's end.
                constexpr std::uint64_t enough = 1 << 20;
                Walk target(begin, end, enough);
                const auto marked = mark_in(top_, top_level_, base_of(begin), target, *slot);
                walk.spend(enough - target.work);
                return marked;
            }
            std::uint64_t* const target = TRY(leaf(begin, true));
            return *target == 0 ? base::Result<void>() : base::fail(abi::Error::exists);
        });
    }
    // The second moves the pages and takes the marks out of the source. Where the source has not changed since the first, it does not fail.
    base::Result<void> commit_move(Walk& walk, std::uint64_t to) {
        return move_in(top_, top_level_, base_of(walk.begin), walk, to - walk.begin, [&](std::uint64_t* slot, std::uint64_t begin, std::uint64_t) -> base::Result<void> {
            if (entry::has_frame(*slot)) {
                std::uint64_t* const target = TRY(leaf(begin, true));
                if (*target != 0)
                    return base::fail(abi::Error::exists);
                set(target, *slot);
                environment_.changed(begin - (to - walk.begin));
            }
            set(slot, 0);
            return {};
        });
    }
    // All of it at once. Errors: no_memory, exists; nothing was moved.
    base::Result<void> move(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
        TRY(split(from));
        TRY(split(from + bytes));
        if (auto prepared = in_one_piece(from, from + bytes, [&](Walk& walk) { return prepare_move(walk, to); }); !prepared) {
            (void)unmap(to, to + bytes);
            return prepared;
        }
        return in_one_piece(from, from + bytes, [&](Walk& walk) { return commit_move(walk, to); });
    }

    // Makes an access at `address` (one of protection::) possible where it is allowed: demand-zero, copy-on-write, a copy of code that may change, or a stale TLB. Gives
    // the frame.
    // Errors: bad_pointer (not mapped, or not with this right), no_memory.
    base::Result<std::uint64_t> resolve(std::uint64_t address, abi::Protection access) {
        // A mark of a larger range is split for an access that it allows, and for no other.
        const std::uint64_t met = look_up(address);
        if (met == 0 || (entry::is_mark(met) && !allows(entry::mark_protection(met), access)))
            return base::fail(abi::Error::bad_pointer);
        std::uint64_t* const slot = TRY(leaf(address, false));
        if (slot == nullptr || *slot == 0)
            return base::fail(abi::Error::bad_pointer);
        std::uint64_t value = *slot;
        if (entry::is_mark(value)) {
            const std::uint64_t frame = fill_mark(slot);
            if (frame == 0)
                return base::fail(abi::Error::no_memory);
            return frame;
        }
        if ((value & entry::present) == 0)
            return base::fail(abi::Error::bad_pointer);
        if (access == abi::protection::execute && (value & entry::no_execute) != 0) {
            if ((value & entry::was_executable) == 0)
                return base::fail(abi::Error::bad_pointer);
            return make_own(slot, address, own_flags(value));
        }
        if (access == abi::protection::write && (value & entry::writable) == 0) {
            if ((value & entry::private_copy) == 0 || (value & entry::was_writable) == 0)
                return base::fail(abi::Error::bad_pointer);
            return make_own(slot, address, own_flags(value) | entry::writable);
        }
        return value & entry::address_mask;
    }

    // The same for the access that is usual, the first one to a page whose table is there. Gives 0 for all others, and where memory ends: resolve() says what they are. A mark is in no
    // TLB and nothing is taken away, so of the environment this needs table() and allocate_frame() alone.
    [[gnu::always_inline]] std::uint64_t resolve_first_access(std::uint64_t address, abi::Protection access) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_; level > 0; --level) {
            const std::uint64_t value = environment_.table(physical)[index(address, level)];
            if (!entry::is_table(value, level))
                return 0;
            physical = value & entry::address_mask;
        }
        std::uint64_t* const slot = &environment_.table(physical)[index(address, 0)];
        return entry::is_mark(*slot) && allows(entry::mark_protection(*slot), access) ? fill_mark(slot) : 0;
    }

    // The entry for an address, without changing anything; 0 where there is none. Marks of larger ranges are given as they are.
    std::uint64_t look_up(std::uint64_t address) {
        std::uint64_t bytes;
        return look_up(address, bytes);
    }
    // `bytes`: how much the entry stands for, the address with it; aligned to that.
    std::uint64_t look_up(std::uint64_t address, std::uint64_t& bytes) {
        std::uint64_t physical = top_;
        for (unsigned level = top_level_;; --level) {
            const std::uint64_t value = environment_.table(physical)[index(address, level)];
            if (level == 0 || !entry::is_table(value, level)) {
                bytes = span(level);
                return value;
            }
            physical = value & entry::address_mask;
        }
    }

    // Calls `visit(address, entry)` for every page with a frame in the range; `visit` may return a new value for the entry.
    template <class Visit> void for_each_page(Walk& walk, Visit&& visit) { pages_in(top_, top_level_, base_of(walk.begin), walk, visit); }
    template <class Visit> void for_each_page(std::uint64_t begin, std::uint64_t end, Visit&& visit) {
        in_one_piece(begin, end, [&](Walk& walk) { for_each_page(walk, visit); });
    }

    // Frees everything but the top table itself.
    void clear() { (void)unmap(0, top_level_ == 3 ? span(3) * 256 : span(top_level_ + 1)); }

    // Entry bits for a private (or anonymous) page. `writable_now`: the frame is not shared, a write needs no copy.
    static std::uint64_t private_flags(abi::Protection protection, bool writable_now) {
        std::uint64_t flags = entry::user | entry::private_copy | entry::accessed | entry::dirty;
        if ((protection & abi::protection::write) != 0)
            flags |= entry::was_writable | (writable_now ? entry::writable : 0);
        return flags | common_flags(protection);
    }
    // Of a private page whose frame is a Memory's that may still be written.
    static std::uint64_t changeable_flags(abi::Protection protection) {
        const std::uint64_t execute = (protection & abi::protection::execute) != 0 ? entry::was_executable | entry::no_execute : 0;
        return private_flags(protection, false) | entry::changeable | execute;
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
    // An entry's flags once its frame is nobody else's.
    static std::uint64_t own_flags(std::uint64_t value) {
        const std::uint64_t executable = (value & entry::was_executable) != 0 ? entry::no_execute : 0;
        return value & ~(entry::address_mask | entry::changeable | entry::was_executable | executable);
    }
    // A page in the place of a last-level mark; 0 where memory ends.
    [[gnu::always_inline]] std::uint64_t fill_mark(std::uint64_t* slot) {
        const abi::Protection protection = entry::mark_protection(*slot);
        const std::uint64_t frame = environment_.allocate_frame();
        if (frame != 0)
            set(slot, frame | private_flags(protection, true));
        return frame;
    }
    // A private page gets a frame that nobody else has, a copy where others have its own. Errors: no_memory.
    base::Result<std::uint64_t> make_own(std::uint64_t* slot, std::uint64_t address, std::uint64_t flags) {
        const std::uint64_t frame = *slot & entry::address_mask;
        if (environment_.alone(frame)) {
            set(slot, frame | flags);
            environment_.changed(address);
            return frame;
        }
        const std::uint64_t copy = environment_.allocate_copy(frame);
        if (copy == 0)
            return base::fail(abi::Error::no_memory);
        set(slot, copy | flags);
        environment_.changed(address);
        environment_.drop(frame);
        return copy;
    }
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

    template <class Step> static auto in_one_piece(std::uint64_t begin, std::uint64_t end, Step&& step) {
        Walk walk(begin, end);
        return step(walk);
    }

    // Whether the entry is done with: the walk goes on behind it. What `each` went down into moves the walk by itself.
    enum class Entry : std::uint8_t { done, entered };

    static void go_behind(Walk& walk, unsigned level, std::uint64_t base, std::uint64_t at) {
        const std::uint64_t last = base + at * span(level) + (span(level) - 1);
        walk.at = last < walk.end ? last + 1 : walk.end;
    }

    // The last of the entries from `at` on, up to `end`, that `differs` gives no bits for, which is true of that one.
    template <class Differs> static unsigned last_alike(const std::uint64_t* words, unsigned at, unsigned end, Differs&& differs) {
        const auto differ = [&](const std::uint64_t* ahead) {
            std::uint64_t bits = 0;
            for (unsigned i = 0; i < at_once; ++i)
                bits |= differs(ahead[i]);
            return bits;
        };
        while (at + at_once <= end && differ(words + at + 1) == 0)
            at += at_once;
        while (at < end && differs(words[at + 1]) == 0)
            ++at;
        return at;
    }
    static constexpr unsigned at_once = 8; // looked at, or set, without a branch between them

    // Calls `each(index, entry_begin, covered)` for the entries of a table that the rest of the walk touches, until it is done or stopped. `covered`: the walk's whole range,
    // not only its rest, has all of the entry. With `words`, which are the table's, for those alone that are not empty: a table that hardly anything is in costs little.
    template <class Each> static base::Result<void> entries(unsigned level, std::uint64_t base, Walk& walk, const std::uint64_t* words, Each&& each) {
        constexpr std::uint64_t empty_of_work = 16; // so many are looked at in the time of one that is not empty
        while (!walk.done()) {
            const std::uint64_t at = (walk.at - base) / span(level);
            if (at >= 512)
                break;
            if (words != nullptr && words[at] == 0) {
                const unsigned end = static_cast<unsigned>(std::min<std::uint64_t>((walk.end - 1 - base) / span(level), 511));
                const unsigned last = last_alike(words, static_cast<unsigned>(at), end, [](std::uint64_t word) { return word; });
                go_behind(walk, level, base, last);
                walk.spend(1 + (last - at) / empty_of_work);
            } else {
                const std::uint64_t entry_begin = base + at * span(level);
                const bool covered = walk.begin <= entry_begin && entry_begin + (span(level) - 1) <= walk.end - 1;
                if (TRY(each(static_cast<unsigned>(at), entry_begin, covered)) == Entry::done) {
                    go_behind(walk, level, base, at);
                    walk.spend(1);
                }
            }
            if (walk.stopped())
                break;
        }
        return {};
    }
    // Sets to `value`, in `to`, the entries from `at` on that `differs` gives no bits for and that the walk covers whole, which is true of that one; moves the walk behind them.
    // What a program has marked and not used yet is thousands of equal entries, as for each thread's stack.
    template <class Differs>
    static Entry set_alike(const std::uint64_t* words, std::uint64_t* to, std::uint64_t value, unsigned level, std::uint64_t base, unsigned at, Walk& walk, Differs&& differs) {
        constexpr std::uint64_t alike_of_work = 8;
        const auto end = static_cast<unsigned>(std::min<std::uint64_t>((walk.end - base) / span(level), 512));
        const unsigned last = last_alike(words, at, end - 1, differs);
        unsigned next = at;
        for (; next + at_once <= last + 1; next += at_once)
            for (unsigned i = 0; i < at_once; ++i)
                set(&to[next + i], value);
        for (; next <= last; ++next)
            set(&to[next], value);
        go_behind(walk, level, base, last);
        walk.spend(1 + (last - at) / alike_of_work);
        return Entry::entered;
    }
    static auto other_than(std::uint64_t value) {
        return [value](std::uint64_t word) { return word ^ value; };
    }
    template <class Each> base::Result<void> occupied_entries(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk, Each&& each) {
        return entries(level, base, walk, environment_.table(physical), each);
    }

    base::Result<void> empty_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk) {
        return occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool) -> base::Result<Entry> {
            const std::uint64_t value = environment_.table(physical)[at];
            if (!entry::is_table(value, level))
                return base::fail(abi::Error::exists);
            TRY(empty_in(value & entry::address_mask, level - 1, entry_begin, walk));
            return Entry::entered;
        });
    }

    base::Result<void> mark_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk, std::uint64_t mark) {
        return entries(level, base, walk, nullptr, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            std::uint64_t* const words = environment_.table(physical);
            if (covered && level <= 2 && *slot == 0)
                return set_alike(words, words, mark, level, base, at, walk, [](std::uint64_t word) { return word; });
            if (level == 0 || (*slot != 0 && !entry::is_table(*slot, level)))
                return base::fail(abi::Error::exists);
            if (*slot == 0) {
                TRY(push_down(physical, at, level));
                walk.spend(Walk::table_work);
            }
            TRY(mark_in(environment_.table(physical)[at] & entry::address_mask, level - 1, entry_begin, walk, mark));
            return Entry::entered;
        });
    }

    base::Result<void> unmap_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk) {
        return occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (level == 0 && !entry::is_mark(value)) {
                set(slot, 0);
                if (entry::has_frame(value)) {
                    environment_.changed(entry_begin);
                    if ((value & entry::device) == 0)
                        environment_.drop(value & entry::address_mask);
                    walk.spend(Walk::drop_work);
                }
                return Entry::done;
            }
            if (entry::is_mark(value) && (level == 0 || covered)) {
                std::uint64_t* const words = environment_.table(physical);
                return set_alike(words, words, 0, level, base, at, walk, [](std::uint64_t word) { return word & (entry::present | entry::hidden); });
            }
            if (!entry::is_table(value, level)) {
                TRY(push_down(physical, at, level));
                walk.spend(Walk::table_work);
            }
            const std::uint64_t below = environment_.table(physical)[at] & entry::address_mask;
            const bool at_once = walk.at <= entry_begin;
            TRY(unmap_in(below, level - 1, entry_begin, walk));
            // In a table that was worked off in several steps others may have entered something behind the walk.
            if (covered && walk.at > entry_begin + (span(level) - 1) && (at_once || is_empty(below))) {
                set(slot, 0);
                if (level == top_level_)
                    environment_.top_changed(at, 0);
                environment_.drop_table(below);
                walk.spend(Walk::table_work);
            }
            return Entry::entered;
        });
    }

    bool is_empty(std::uint64_t table) {
        const std::uint64_t* const words = environment_.table(table);
        for (unsigned i = 0; i < 512; ++i)
            if (words[i] != 0)
                return false;
        return true;
    }

    base::Result<void> protect_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk, abi::Protection protection) {
        return occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (entry::is_mark(value) && (level == 0 || covered)) {
                std::uint64_t* const words = environment_.table(physical);
                return set_alike(words, words, entry::make_mark(protection), level, base, at, walk, other_than(value));
            }
            if (level == 0) {
                set(slot, protected_entry(value, protection));
                environment_.changed(entry_begin);
                return Entry::done;
            }
            if (!entry::is_table(value, level)) {
                TRY(push_down(physical, at, level));
                walk.spend(Walk::table_work);
            }
            TRY(protect_in(environment_.table(physical)[at] & entry::address_mask, level - 1, entry_begin, walk, protection));
            return Entry::entered;
        });
    }

    static std::uint64_t protected_entry(std::uint64_t value, abi::Protection protection) {
        const std::uint64_t frame = value & entry::address_mask;
        if ((value & entry::changeable) != 0)
            return frame | changeable_flags(protection);
        if ((value & entry::private_copy) != 0)
            // A page that may be shared since a fork becomes writable by the next fault, which looks at the count.
            return frame | private_flags(protection, false);
        const abi::Protection allowed = abi::protection::read | ((value & entry::allow_write) != 0 ? abi::protection::write : 0) |
                                        ((value & entry::allow_execute) != 0 ? abi::protection::execute : 0);
        return frame | shared_flags(protection, allowed) | (value & (entry::device | entry::uncached));
    }

    base::Result<void> fork_in(std::uint64_t physical, PageTable& copy, std::uint64_t target, unsigned level, std::uint64_t base, Walk& walk) {
        return occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            const std::uint64_t value = *slot;
            if (entry::is_table(value, level)) {
                if (copy.environment_.table(target)[at] == 0) {
                    TRY(copy.push_down(target, at, level));
                    walk.spend(Walk::table_work);
                }
                TRY(fork_in(value & entry::address_mask, copy, copy.environment_.table(target)[at] & entry::address_mask, level - 1, entry_begin, walk));
                return Entry::entered;
            }
            if (entry::is_mark(value)) {
                std::uint64_t* const words = copy.environment_.table(target);
                return set_alike(environment_.table(physical), words, value, level, base, at, walk, other_than(value));
            }
            std::uint64_t copied = value;
            if (entry::has_frame(value) && (value & entry::device) == 0) {
                if ((value & entry::private_copy) == 0)
                    return Entry::done;
                environment_.retain(value & entry::address_mask);
                if ((value & entry::writable) != 0) {
                    copied &= ~entry::writable;
                    set(slot, copied);
                    environment_.changed(entry_begin);
                }
            }
            set(&copy.environment_.table(target)[at], copied);
            return Entry::done;
        });
    }

    // Calls `each(slot, begin, end)` for what is there; the range is the one in the target.
    template <class Each>
    base::Result<void> move_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk, std::uint64_t distance, Each&& each) {
        return occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool covered) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            if (entry::is_table(*slot, level)) {
                TRY(move_in(*slot & entry::address_mask, level - 1, entry_begin, walk, distance, each));
                return Entry::entered;
            }
            // A mark across the edge: the caller did not split it.
            if (!covered)
                return base::fail(abi::Error::bad_state);
            TRY(each(slot, entry_begin + distance, entry_begin + distance + span(level)));
            walk.spend(Walk::drop_work);
            return Entry::done;
        });
    }

    template <class Visit> void pages_in(std::uint64_t physical, unsigned level, std::uint64_t base, Walk& walk, Visit& visit) {
        (void)occupied_entries(physical, level, base, walk, [&](unsigned at, std::uint64_t entry_begin, bool) -> base::Result<Entry> {
            std::uint64_t* const slot = &environment_.table(physical)[at];
            if (entry::is_table(*slot, level)) {
                pages_in(*slot & entry::address_mask, level - 1, entry_begin, walk, visit);
                return Entry::entered;
            }
            if (level == 0 && entry::has_frame(*slot)) {
                const std::uint64_t now = visit(entry_begin, *slot);
                if (now != *slot) {
                    set(slot, now);
                    environment_.changed(entry_begin);
                }
            }
            return Entry::done;
        });
    }

    Environment& environment_;
    std::uint64_t top_;
    unsigned top_level_;
};

} // namespace kernel
