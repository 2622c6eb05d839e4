// The page tables of two spaces beside what a program may see: pages with a protection and a content, round a border of 1 GiB. Ranges are worked off in steps, memory
// ends at any place, and what a TLB may still hold is checked against what it was told.
#pragma once
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "kernel/core/page_table.hpp"
#include "tests/cores/command.hpp"

namespace cores {

class PageTableModel {
    using Words = std::array<std::uint64_t, 512>;
    struct Frame {
        unsigned references = 1;
        std::uint64_t content = 0;
    };
    struct Memory {
        std::uint64_t allocate_table() {
            if (!take()) return 0;
            tables[next] = std::make_unique<Words>();
            return std::exchange(next, next + abi::page_size);
        }
        std::uint64_t allocate_frame(std::uint64_t content) {
            if (!take()) return 0;
            frames[next].content = content;
            return std::exchange(next, next + abi::page_size);
        }
        Frame& frame(std::uint64_t physical) {
            const auto found = frames.find(physical);
            require(found != frames.end(), "a frame that is free is used");
            return found->second;
        }
        bool take() { return left != 0 && left-- != 0; }

        std::map<std::uint64_t, std::unique_ptr<Words>> tables;
        std::map<std::uint64_t, Frame> frames;
        std::uint64_t left = UINT64_MAX; // allocations that still succeed
        std::uint64_t next = abi::page_size;
    };
    // What the page table asks of the machine (kernel/core/page_table.hpp).
    struct Environment {
        Memory& memory;
        std::uint64_t shared;
        std::map<std::uint64_t, std::uint64_t> held{}; // address → entry: what a TLB may hold

        std::uint64_t* table(std::uint64_t physical) {
            const auto found = memory.tables.find(physical);
            require(found != memory.tables.end(), "a table that is free is used");
            return found->second->data();
        }
        std::uint64_t allocate_table() { return memory.allocate_table(); }
        void drop_table(std::uint64_t physical) { require(memory.tables.erase(physical) == 1, "a table is dropped twice"); }
        std::uint64_t allocate_frame() { return memory.allocate_frame(0); }
        std::uint64_t allocate_copy(std::uint64_t physical) { return memory.allocate_frame(memory.frame(physical).content); }
        void retain(std::uint64_t physical) { ++memory.frame(physical).references; }
        bool alone(std::uint64_t physical) { return memory.frame(physical).references == 1; }
        void drop(std::uint64_t physical) {
            if (physical != shared)
                for (const auto& [address, value] : held) require((value & kernel::entry::address_mask) != physical, "a frame is dropped that a TLB may hold");
            if (--memory.frame(physical).references == 0) memory.frames.erase(physical);
        }
        void changed(std::uint64_t address) { held.erase(address); }
        void top_changed(unsigned, std::uint64_t) {}
    };
    using Table = kernel::PageTable<Environment>;
    using Walk = kernel::Walk;

    static constexpr abi::Protection read = abi::protection::read, write = abi::protection::write, execute = abi::protection::execute;
    static constexpr std::uint64_t first = (1ull << 30) - 768 * abi::page_size;
    static constexpr std::size_t count = 1536;

    struct Page {
        bool there = false;
        bool shared = false;
        abi::Protection protection = 0;
        abi::Protection allowed = 0; // of a shared one
        std::uint64_t content = 0;   // of a private one
    };
    struct Space {
        Space(Memory& memory, std::uint64_t shared) : environment{memory, shared}, top(memory.allocate_table()), table(environment, top, 2) {}
        Environment environment;
        std::uint64_t top;
        Table table;
        std::vector<Page> pages{count};
    };
    struct Range {
        std::size_t begin, end; // pages
    };

public:
    void apply(const Command& command) {
        Space& space = *spaces_[command.subject % 2];
        const Range range = range_of(command);
        // Every CPU has used these pages by now.
        for (const auto& each : spaces_)
            for (const std::size_t page : {range.begin, range.end - 1}) hold(*each, page);
        const std::uint64_t budget = budgets[command.subject / 2 % std::size(budgets)];
        const abi::Protection protection = protections[command.subject / 8 % std::size(protections)];
        // Now and then memory ends in the middle; then it is done again with it.
        const std::uint64_t memory = command.subject / 32 < 2 ? command.subject / 32 : UINT64_MAX;
        switch (command.kind % 10) {
        case 0: mark(space, range, protection, budget, memory); break;
        case 1: unmap(space, range, budget, memory); break;
        case 2: protect(space, range, protection, budget, memory); break;
        case 3: touch(space, range.begin, read, memory); break;
        case 4:
        case 5: touch(space, range.begin, write, memory); break;
        case 6: map(space, range.begin, protection & write ? read | write : read, memory); break;
        case 7: move(space, range, protection, memory); break;
        case 8: fork(space, *spaces_[1 - command.subject % 2], memory); break;
        case 9: split(space, range.begin, memory); break;
        }
        memory_.left = UINT64_MAX;
        for (const std::size_t page : {range.begin, range.end - 1, range.begin ? range.begin - 1 : 0, range.end < count ? range.end : count - 1})
            for (const auto& each : spaces_) check_page(*each, page);
        check_held();
        if (++steps_ % 32 == 0) check();
    }

    void finish() {
        check();
        for (const auto& space : spaces_) space->table.clear();
        require(memory_.tables.size() == 2, "a table is lost");
        require(memory_.frames.size() == 1 && memory_.frame(shared_).references == 1, "a frame is lost");
    }

private:
    static constexpr std::uint64_t budgets[] = {Walk::unlimited, 1, 40, 700};
    static constexpr abi::Protection protections[] = {read | write, read, 0, read | execute};

    static std::uint64_t address_of(std::size_t page) { return first + page * abi::page_size; }

    // Single pages, pages near the borders of tables, and ranges from border to border.
    static Range range_of(const Command& command) {
        constexpr std::size_t borders[] = {0, 256, 768, 1280, count};
        const std::size_t near = borders[command.value % 5];
        const std::size_t at = std::min(near + command.value / 5 % 3, count) - (near != 0 ? std::min<std::size_t>(command.value / 15 % 3, near) : 0);
        const std::size_t begin = std::min(at, count - 1);
        constexpr std::size_t lengths[] = {1, 1, 2, 5, 256, 512, 513, count};
        return {begin, std::min(begin + lengths[command.value / 45 % 8], count)};
    }

    template <class Step> static bool in_steps(Range range, std::uint64_t budget, Step&& step) {
        Walk walk(address_of(range.begin), address_of(range.end));
        while (!walk.done()) {
            const std::uint64_t before = walk.at;
            walk.work = budget;
            if (!step(walk)) return false;
            require(walk.at > before, "a step does not get on");
        }
        return true;
    }

    bool is_empty(const Space& space, Range range) const {
        return std::none_of(space.pages.begin() + static_cast<std::ptrdiff_t>(range.begin), space.pages.begin() + static_cast<std::ptrdiff_t>(range.end), [](const Page& page) { return page.there; });
    }

    void mark(Space& space, Range range, abi::Protection protection, std::uint64_t budget, std::uint64_t memory) {
        const bool empty = in_steps(range, budget, [&](Walk& walk) { return space.table.empty(walk); });
        require(empty == is_empty(space, range), "a range is empty, or is not");
        if (!empty) return;
        memory_.left = memory;
        const auto step = [&](Walk& walk) { return space.table.mark(walk, protection).has_value(); };
        if (!in_steps(range, budget, step)) {
            require(memory != UINT64_MAX, "a mark fails with memory");
            memory_.left = UINT64_MAX;
            unmap(space, range, Walk::unlimited, UINT64_MAX);
            return;
        }
        std::fill(space.pages.begin() + static_cast<std::ptrdiff_t>(range.begin), space.pages.begin() + static_cast<std::ptrdiff_t>(range.end), Page{true, false, protection, 0, 0});
    }

    void unmap(Space& space, Range range, std::uint64_t budget, std::uint64_t memory) {
        again_with_memory(range, budget, memory, [&](Walk& walk) { return space.table.unmap(walk).has_value(); });
        std::fill(space.pages.begin() + static_cast<std::ptrdiff_t>(range.begin), space.pages.begin() + static_cast<std::ptrdiff_t>(range.end), Page{});
    }

    void protect(Space& space, Range range, abi::Protection protection, std::uint64_t budget, std::uint64_t memory) {
        again_with_memory(range, budget, memory, [&](Walk& walk) { return space.table.protect(walk, protection).has_value(); });
        for (std::size_t page = range.begin; page < range.end; ++page) {
            Page& each = space.pages[page];
            if (each.there) each.protection = each.shared ? protection & (each.allowed | read) : protection;
        }
    }

    template <class Step> void again_with_memory(Range range, std::uint64_t budget, std::uint64_t memory, Step&& step) {
        memory_.left = memory;
        if (in_steps(range, budget, step)) return;
        require(memory != UINT64_MAX, "a range fails with memory");
        memory_.left = UINT64_MAX;
        require(in_steps(range, budget, step), "a range fails again with memory");
    }

    void touch(Space& space, std::size_t page, abi::Protection access, std::uint64_t memory) {
        Page& expected = space.pages[page];
        const bool allowed = expected.there && (access == read ? expected.protection != 0 : (expected.protection & write) != 0);
        memory_.left = memory;
        auto frame = space.table.resolve(address_of(page), access);
        if (!frame && frame.error() == abi::Error::no_memory) {
            require(memory != UINT64_MAX, "a fault fails with memory");
            memory_.left = UINT64_MAX;
            frame = space.table.resolve(address_of(page), access);
        }
        require(frame.has_value() == allowed, allowed ? "an access is refused that is allowed" : "an access is allowed that is refused");
        if (!frame) return;
        if (access == write) {
            memory_.frame(*frame).content = ++written_;
            (expected.shared ? shared_content_ : expected.content) = written_;
        }
        hold(space, page);
    }

    static void hold(Space& space, std::size_t page) {
        const std::uint64_t value = space.table.look_up(address_of(page));
        if ((value & kernel::entry::present) != 0) space.environment.held[address_of(page)] = value;
    }

    void map(Space& space, std::size_t page, abi::Protection allowed, std::uint64_t memory) {
        memory_.left = memory;
        ++memory_.frame(shared_).references;
        const auto done = space.table.map(address_of(page), shared_, Table::shared_flags(read, allowed));
        if (done) {
            require(!space.pages[page].there, "a page is mapped over another one");
            space.pages[page] = {true, true, read, allowed, 0};
            return;
        }
        --memory_.frame(shared_).references;
        require(done.error() == abi::Error::no_memory ? memory != UINT64_MAX : space.pages[page].there, "a page is refused that there is room for");
    }

    void move(Space& space, Range range, abi::Protection where, std::uint64_t memory) {
        const std::size_t length = range.end - range.begin;
        const std::size_t to = where & write ? range.end : range.begin >= length ? range.begin - length : count;
        if (to + length > count || !is_empty(space, {to, to + length})) return;
        memory_.left = memory;
        const auto done = space.table.move(address_of(range.begin), address_of(to), length * abi::page_size);
        require(done || (memory != UINT64_MAX && done.error() == abi::Error::no_memory), "a move fails with memory");
        for (std::size_t page = 0; done && page < length; ++page) space.pages[to + page] = std::exchange(space.pages[range.begin + page], Page{});
    }

    void fork(Space& space, Space& copy, std::uint64_t memory) {
        copy.table.clear();
        copy.pages.assign(count, Page{});
        memory_.left = memory;
        if (!space.table.fork(copy.table)) {
            require(memory != UINT64_MAX, "a fork fails with memory");
            memory_.left = UINT64_MAX;
            copy.table.clear();
            return;
        }
        // Shared pages come by faults there.
        copy.pages = space.pages;
        for (Page& page : copy.pages)
            if (page.shared) page = {};
    }

    void split(Space& space, std::size_t page, std::uint64_t memory) {
        memory_.left = memory;
        require(space.table.split(address_of(page)) || memory != UINT64_MAX, "a split fails with memory");
    }

    void check_page(Space& space, std::size_t at) {
        namespace entry = kernel::entry;
        const Page& page = space.pages[at];
        const std::uint64_t value = space.table.look_up(address_of(at));
        if (!page.there) return require(value == 0, "a page is there that was taken away");
        if (entry::is_mark(value)) {
            require(!page.shared && page.content == 0, "a content is lost");
            return require(entry::mark_protection(value) == page.protection, "a mark has another protection");
        }
        require(entry::has_frame(value), "a page is lost");
        const std::uint64_t frame = value & entry::address_mask;
        require(page.shared == (frame == shared_), "a page has another frame");
        require(memory_.frame(frame).content == (page.shared ? shared_content_ : page.content), "a page has another content");
        require(((value & entry::present) != 0) == (page.protection != 0), "a page without rights is present, or one with rights is not");
        require((value & entry::writable) == 0 || (page.protection & write) != 0, "a page is writable that must not be");
        require((value & entry::no_execute) != 0 || (page.protection & execute) != 0, "a page is executable that must not be");
        require((value & entry::writable) == 0 || page.shared || memory_.frame(frame).references == 1, "a page that two have is writable without a copy");
    }

    // What TLBs hold after the flush of what was told lets nothing through that the table does not.
    void check_held() {
        for (const auto& space : spaces_)
            for (const auto& [address, held] : space->environment.held) {
                const std::uint64_t value = space->table.look_up(address);
                require((value & kernel::entry::present) != 0 && ((held ^ value) & kernel::entry::address_mask) == 0, "a TLB holds a page that is another's now");
                require((held & ~value & kernel::entry::writable) == 0, "a TLB lets a write through that the table does not");
                require((value & ~held & kernel::entry::no_execute) == 0, "a TLB lets code run that the table does not");
            }
    }

    void check() {
        std::map<std::uint64_t, unsigned> references{{shared_, 1}};
        for (const auto& space : spaces_) {
            for (std::size_t page = 0; page < count; ++page) check_page(*space, page);
            space->table.for_each_page(0, 1ull << 39, [&](std::uint64_t, std::uint64_t value) {
                ++references[value & kernel::entry::address_mask];
                return value;
            });
        }
        require(references.size() == memory_.frames.size(), "a frame is kept that no entry has");
        for (const auto& [frame, entries] : references) require(memory_.frame(frame).references == entries, "the references of a frame are not its entries");
    }

    Memory memory_;
    std::uint64_t shared_ = memory_.allocate_frame(0);
    std::array<std::unique_ptr<Space>, 2> spaces_{std::make_unique<Space>(memory_, shared_), std::make_unique<Space>(memory_, shared_)};
    std::uint64_t written_ = 0;
    std::uint64_t shared_content_ = 0;
    std::size_t steps_ = 0;
};

} // namespace cores
