// Ranges of an address space: the real page table of two spaces beside pages with a protection and a content. Two tables of 512 pages, and four pages round the
// border between them with one further off, which stands for the rest of the second table.
#pragma once
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "kernel/core/page_table.hpp"
#include "tests/explore/explorer.hpp"
#include "tests/explore/ranges_machine.hpp"

namespace explore {

struct RangesBounds {
    bool wide;   // all pages; otherwise the two at the border of the tables
    bool scarce; // operations are also tried without memory, and then done again with it
};

class RangesModel : public Checked {
    static constexpr std::array<std::uint64_t, 5> numbers = {510, 511, 512, 513, 900};
    using Machine = RangesMachine<numbers, 8>;
    using Words = Machine::Words;
    using Memory = Machine::Memory;
    using Environment = Machine::Environment;
    using Table = Machine::Table;
    using Page = Machine::Page;
    using Pages = Machine::Pages;
    static constexpr unsigned watched = Machine::watched;
    static constexpr std::uint64_t frame_base = Machine::frame_base;
    static constexpr std::uint64_t address_of(unsigned page) { return Machine::address_of(page); }
    static constexpr abi::Protection read = abi::protection::read, write = abi::protection::write;

public:
    enum class Kind : std::uint8_t { mark, unmap, protect, map_shared, fill, move, fork, clear, read_page, write_page };
    struct Operation {
        Kind kind{};
        std::uint8_t space = 0;
        std::uint8_t first = 0, last = 0; // watched pages
        std::uint8_t value = 0;           // a protection, a content, or the first page of the target of a move
        bool scarce = false;
    };

    explicit RangesModel(const RangesBounds& bounds) : bounds_(bounds) {
        for (std::uint64_t& top : tops_) top = memory_.allocate_table();
        shared_ = memory_.allocate_frame(0);
    }

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"mark", "unmap", "protect", "map shared", "fill", "move", "fork", "clear", "read", "write"};
        char line[120];
        std::snprintf(line, sizeof line, "space %u: %s pages %llu to %llu, %u%s", operation.space, names[static_cast<int>(operation.kind)],
                      static_cast<unsigned long long>(numbers[operation.first]), static_cast<unsigned long long>(numbers[operation.last]), operation.value,
                      operation.scarce ? ", first without memory" : "");
        return line;
    }
    bool refused() const { return false; }

    std::vector<Operation> operations() const {
        static constexpr std::uint8_t ranges[][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {1, 2}, {2, 3}, {0, 3}, {2, 4}, {0, 4}};
        std::vector<Operation> all;
        const auto add = [&](Operation operation) {
            all.push_back(operation);
            if (!bounds_.scarce) return;
            operation.scarce = true;
            all.push_back(operation);
        };
        for (std::uint8_t space = 0; space < 2; ++space) {
            const Pages& pages = pages_[space];
            for (const auto& [first, last] : ranges) {
                if (!bounds_.wide && (first < 1 || last > 2)) continue;
                if (empty(pages, first, last)) {
                    add({Kind::mark, space, first, last, read | write});
                    if (first == last) add({Kind::mark, space, first, last, read});
                    continue;
                }
                add({Kind::unmap, space, first, last});
                for (const std::uint8_t protection : {abi::Protection{0}, read, static_cast<abi::Protection>(read | write)})
                    add({Kind::protect, space, first, last, protection});
            }
            for (const std::uint8_t page : {1, 2})
                if (empty(pages, page, page)) {
                    add({Kind::map_shared, space, page, page, read});
                    add({Kind::map_shared, space, page, page, read | write});
                }
            // What is empty of one table's pages, where that table is.
            all.push_back({Kind::fill, space, 2, static_cast<std::uint8_t>(bounds_.wide ? 3 : 2), read | write});
            // Over the border of the tables, and within one.
            for (const auto& [from, to] : {std::pair<std::uint8_t, std::uint8_t>{1, 2}, {2, 1}, {1, 0}})
                if ((bounds_.wide || to != 0) && !empty(pages, from, from) && empty(pages, to, to)) add({Kind::move, space, from, from, to});
            if (!empty(pages, 0, 4)) {
                if (empty(pages_[1 - space], 0, 4)) add({Kind::fork, space});
                all.push_back({Kind::clear, space});
            }
            for (std::uint8_t page = 0; page < watched; ++page) {
                if (page == 3 || (!bounds_.wide && page != 1 && page != 2)) continue;
                add({Kind::read_page, space, page, page});
                add({Kind::write_page, space, page, page, 1});
            }
        }
        return all;
    }

    void apply(const Operation& operation) {
        filled_ = kernel::entry::is_table(words(tops_[operation.space])[numbers[operation.first] / 512], 1);
        // Every CPU has used every page by now.
        for (unsigned space = 0; space < 2; ++space)
            for (unsigned page = 0; page < watched; ++page) memory_.held[space][page] = held_by_tlb(space, page);
        if (operation.scarce) {
            memory_.left = 0;
            const bool done = attempt(operation);
            memory_.left = UINT32_MAX;
            if (!done) {
                recover(operation);
                require(attempt(operation) == expected(operation), "what failed without memory fails with it too");
            } else {
                require(expected(operation), "what must fail is done without memory");
            }
        } else {
            require(attempt(operation) == expected(operation), expected(operation) ? "refused" : "done what must be refused");
        }
        if (expected(operation)) specify(operation);
        check();
    }

    std::string key() const {
        std::map<std::uint64_t, char> names{{shared_, 'S'}};
        std::string key;
        for (unsigned space = 0; space < 2; ++space) {
            for (unsigned at = 0; at < 2; ++at) key += kernel::entry::is_table(words(tops_[space])[at], 1) ? 't' : '.';
            for (unsigned page = 0; page < watched; ++page) {
                const std::uint64_t value = entry_of(space, page);
                key += std::to_string(value & ~kernel::entry::address_mask);
                if (kernel::entry::has_frame(value)) {
                    const std::uint64_t frame = value & kernel::entry::address_mask;
                    key += names.try_emplace(frame, static_cast<char>('a' + names.size())).first->second;
                    key += static_cast<char>('0' + content_of(frame));
                }
                key += pages_[space][page].shared ? 's' : 'p';
                key += static_cast<char>('0' + pages_[space][page].allowed);
            }
        }
        return key;
    }

private:
    static bool empty(const Pages& pages, unsigned first, unsigned last) {
        return std::none_of(pages.begin() + first, pages.begin() + last + 1, [](const Page& page) { return page.there; });
    }
    static std::uint64_t begin_of(const Operation& operation) { return address_of(operation.first); }
    // The last watched page stands for the rest of its table.
    static std::uint64_t end_of(const Operation& operation) { return operation.last == 4 ? 1024 * abi::page_size : address_of(operation.last) + abi::page_size; }
    const Words& words(std::uint64_t physical) const { return *memory_.tables.at(physical / abi::page_size - 1); }
    std::uint8_t content_of(std::uint64_t frame) const { return memory_.frames.at((frame - frame_base) / abi::page_size).content; }
    std::uint64_t entry_of(unsigned space, unsigned page) const {
        const std::uint64_t top = words(tops_[space])[numbers[page] / 512];
        return kernel::entry::is_table(top, 1) ? words(top & kernel::entry::address_mask)[numbers[page] % 512] : top;
    }
    std::uint64_t held_by_tlb(unsigned space, unsigned page) const {
        const std::uint64_t value = entry_of(space, page);
        return (value & kernel::entry::present) != 0 ? value : 0;
    }

    // The adapter: one function for each operation of the page table. True where it is done.
    bool mark(Table& table, const Operation& operation) { return table.mark(begin_of(operation), end_of(operation), operation.value).has_value(); }
    bool unmap(Table& table, const Operation& operation) { return table.unmap(begin_of(operation), end_of(operation)).has_value(); }
    bool protect(Table& table, const Operation& operation) { return table.protect(begin_of(operation), end_of(operation), operation.value).has_value(); }
    bool map_shared(Table& table, const Operation& operation) {
        ++memory_.frame(shared_).references;
        if (table.map(begin_of(operation), shared_, Table::shared_flags(read, operation.value))) return true;
        --memory_.frame(shared_).references;
        return false;
    }
    void fill(Table& table, const Operation& operation) {
        table.fill(begin_of(operation), end_of(operation), Table::shared_flags(read, operation.value), [&](std::uint64_t) {
            ++memory_.frame(shared_).references;
            return shared_;
        });
    }
    bool move(Table& table, const Operation& operation) {
        return table.move(begin_of(operation), address_of(operation.value), end_of(operation) - begin_of(operation)).has_value();
    }
    bool fork(Table& table, Table& copy) { return table.fork(copy).has_value(); }
    void clear(Table& table, unsigned space) {
        // No CPU uses the space any more, and all have flushed.
        memory_.held[space] = {};
        table.clear();
    }
    std::optional<std::uint64_t> resolve(Table& table, unsigned page, abi::Protection access) {
        // As a fault does it.
        if (const std::uint64_t first = table.resolve_first_access(address_of(page), access)) return first;
        const auto frame = table.resolve(address_of(page), access);
        return frame ? std::optional(*frame) : std::nullopt;
    }

    bool attempt(const Operation& operation) {
        Environment environment{memory_, operation.space}, other{memory_, 1u - operation.space};
        Table table(environment, tops_[operation.space], 1), copy(other, tops_[1 - operation.space], 1);
        switch (operation.kind) {
        case Kind::mark:
            require(table.empty(begin_of(operation), end_of(operation)), "an empty range is not found empty");
            return mark(table, operation);
        case Kind::unmap: return unmap(table, operation);
        case Kind::protect: return protect(table, operation);
        case Kind::map_shared: return map_shared(table, operation);
        case Kind::fill: fill(table, operation); return true;
        case Kind::move: return move(table, operation);
        case Kind::fork:
            // A fork's copy is a new space: its table has nothing in it, not even tables that became empty.
            clear(copy, 1 - operation.space);
            return fork(table, copy);
        case Kind::clear: clear(table, operation.space); return true;
        case Kind::read_page: {
            const auto frame = resolve(table, operation.first, read);
            const Page& page = pages_[operation.space][operation.first];
            if (frame) require(content_of(*frame) == (page.shared ? shared_content_ : page.content), "a page is read that has another content");
            return frame.has_value();
        }
        case Kind::write_page: {
            const auto frame = resolve(table, operation.first, write);
            if (frame) memory_.frame(*frame).content = operation.value;
            return frame.has_value();
        }
        }
        return false;
    }

    // What a caller does with an operation that ended for want of memory.
    void recover(const Operation& operation) {
        Environment environment{memory_, operation.space}, other{memory_, 1u - operation.space};
        Table table(environment, tops_[operation.space], 1), copy(other, tops_[1 - operation.space], 1);
        if (operation.kind == Kind::mark) require(unmap(table, operation), "what was marked in part is not unmapped");
        if (operation.kind == Kind::fork) clear(copy, 1 - operation.space);
    }

    bool expected(const Operation& operation) const {
        const Page& page = pages_[operation.space][operation.first];
        if (operation.kind == Kind::read_page) return page.there && page.protection != 0;
        if (operation.kind == Kind::write_page) return page.there && (page.protection & write) != 0;
        return true;
    }

    void specify(const Operation& operation) {
        Pages& pages = pages_[operation.space];
        Page& page = pages[operation.first];
        switch (operation.kind) {
        case Kind::mark:
            for (unsigned at = operation.first; at <= operation.last; ++at) pages[at] = {true, false, operation.value};
            break;
        case Kind::unmap:
            for (unsigned at = operation.first; at <= operation.last; ++at) pages[at] = {};
            break;
        case Kind::protect:
            for (unsigned at = operation.first; at <= operation.last; ++at)
                if (pages[at].there) pages[at].protection = pages[at].shared ? operation.value & (pages[at].allowed | read) : operation.value;
            break;
        case Kind::map_shared: page = {true, true, read, operation.value}; break;
        case Kind::fill:
            for (unsigned at = operation.first; at <= operation.last && filled_; ++at)
                if (!pages[at].there) pages[at] = {true, true, read, operation.value};
            break;
        case Kind::move: pages[operation.value] = std::exchange(page, {}); break;
        case Kind::fork:
            // Shared pages come by faults there, from their mapping, which is not the table's: for it they are entered anew.
            pages_[1 - operation.space] = pages;
            for (Page& each : pages_[1 - operation.space])
                if (each.shared) each = {};
            break;
        case Kind::clear: pages = {}; break;
        case Kind::read_page: break;
        case Kind::write_page: (page.shared ? shared_content_ : page.content) = operation.value; break;
        }
    }

    void check() {
        std::map<std::uint64_t, unsigned> references{{shared_, 1}};
        std::size_t tables = 2;
        for (unsigned space = 0; space < 2; ++space) {
            for (const std::uint64_t top : words(tops_[space])) {
                if (!kernel::entry::is_table(top, 1)) continue;
                ++tables;
                for (const std::uint64_t value : words(top & kernel::entry::address_mask))
                    if (kernel::entry::has_frame(value)) ++references[value & kernel::entry::address_mask];
            }
            for (unsigned page = 0; page < watched; ++page) check_page(space, page);
        }
        require(tables == static_cast<std::size_t>(std::count_if(memory_.tables.begin(), memory_.tables.end(), [](const auto& each) { return each.has_value(); })),
                "a table is kept that nothing leads to");
        for (std::size_t at = 0; at < memory_.frames.size(); ++at) {
            const auto counted = references.find(frame_base + at * abi::page_size);
            require(memory_.frames[at].references == (counted == references.end() ? 0 : counted->second), "the references of a frame are not its entries");
        }
        for (unsigned space = 0; space < 2; ++space)
            for (unsigned page = 0; page < watched; ++page) {
                const std::uint64_t value = entry_of(space, page), frame = value & kernel::entry::address_mask;
                if ((value & kernel::entry::present) != 0 && (value & kernel::entry::private_copy) != 0 && (value & kernel::entry::writable) != 0)
                    require(references[frame] == 1, "a page that two have is writable without a copy");
            }
    }

    void check_page(unsigned space, unsigned at) {
        const Page& page = pages_[space][at];
        const std::uint64_t value = entry_of(space, at), held = memory_.held[space][at];
        if (!page.there) {
            require(value == 0, "a page is there that was taken away");
        } else if (kernel::entry::is_mark(value)) {
            require(!page.shared && page.content == 0, "a content is lost");
            require(kernel::entry::mark_protection(value) == page.protection, "a mark has another protection");
        } else if (require(kernel::entry::has_frame(value), "a page is lost")) {
            const std::uint64_t frame = value & kernel::entry::address_mask;
            require(page.shared == (frame == shared_), "a page has another frame");
            require(content_of(frame) == (page.shared ? shared_content_ : page.content), "a page has another content");
            require(((value & kernel::entry::present) != 0) == (page.protection != 0), "a page without rights is present, or one with rights is not");
            require((value & kernel::entry::writable) == 0 || (page.protection & write) != 0, "a page is writable that must not be");
            require((value & kernel::entry::no_execute) != 0, "a page is executable that must not be");
        }
        // What TLBs hold after the flush of what was told lets nothing through that the table does not.
        if (held == 0) return;
        require((value & kernel::entry::present) != 0 && ((held ^ value) & kernel::entry::address_mask) == 0, "a TLB holds a page that is another's now");
        require((held & kernel::entry::writable) == 0 || (value & kernel::entry::writable) != 0, "a TLB lets a write through that the table does not");
    }

    RangesBounds bounds_;
    Memory memory_;
    std::uint64_t tops_[2] = {};
    std::uint64_t shared_ = 0;
    std::uint8_t shared_content_ = 0;
    bool filled_ = false; // by a fill: whether the table was there
    Pages pages_[2];
};

} // namespace explore
