// Work on ranges in steps: the real page table with walks that stop after an entry or two, and between two of their steps what the kernel lets happen there (kernel/space/space.cpp, RangeWork):
// calls wait for others' work on pages of theirs, the ends of what is shared (drop, shrink, seal) wait for nothing, and accesses wait where a work hides its range. A page behind a walk has
// the new meaning and one before it the old one, whatever came in between.
//
// Three tables. Of the middle one the pages from 514 to 1022 are alike and stand for what a program marks and does not use; page 700 is looked at for all of them.
#pragma once
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernel/core/page_table.hpp"
#include "tests/explore/explorer.hpp"
#include "tests/explore/ranges_machine.hpp"

namespace explore {

struct RangeStepsBounds {
    unsigned works;                      // begun in all
    unsigned at_once;                    // of these, in work beside each other
    unsigned accesses;                   // in all
    bool forks;                          // whether one of the works may be a fork
    unsigned layouts;                    // every how-manieth of what may be there at first is begun with
    std::vector<std::uint64_t> budgets;  // of a step, in the units of kernel::Walk
};

class RangeStepsModel : public Checked {
    static constexpr std::array<std::uint64_t, 7> numbers = {511, 512, 513, 700, 1023, 1024, 1025};
    using Machine = RangesMachine<numbers, 8>;
    using Words = Machine::Words;
    using Memory = Machine::Memory;
    using Environment = Machine::Environment;
    using Table = Machine::Table;
    using Page = Machine::Page;
    using Pages = Machine::Pages;
    static constexpr unsigned watched = Machine::watched;
    static constexpr unsigned rest = 3;
    static constexpr std::uint64_t all_pages = 3 * 512;
    static constexpr abi::Protection read = abi::protection::read, write = abi::protection::write, both = read | write;

public:
    enum class Kind : std::uint8_t { layout, mark, unmap, protect, move, fork, shrink, seal, drop, step, write_page, enter };
    struct Operation {
        Kind kind{};
        std::uint8_t first = 0, last = 0; // watched pages; of a step `first` is which of the works
        std::uint16_t value = 0;          // a protection, the target's first page, a budget, a layout, or of a write the space
    };

    explicit RangeStepsModel(const RangeStepsBounds& bounds) : bounds_(bounds), left_(bounds.works), accesses_(bounds.accesses) {
        for (std::uint64_t& top : tops_) top = memory_.allocate_table();
        shared_ = memory_.allocate_frame(0);
    }

    static std::string text(const Operation& operation) {
        static constexpr const char* names[] = {"layout", "mark", "unmap", "protect", "move", "fork", "shrink", "seal", "drop", "step", "write", "enter"};
        char line[120];
        if (operation.kind == Kind::step)
            std::snprintf(line, sizeof line, "step of work %u, budget %u", operation.first, operation.value);
        else if (operation.kind == Kind::layout)
            std::snprintf(line, sizeof line, "layout %u", operation.value);
        else
            std::snprintf(line, sizeof line, "%s pages %llu to %llu, %u", names[static_cast<int>(operation.kind)], static_cast<unsigned long long>(numbers[operation.first]),
                          static_cast<unsigned long long>(numbers[operation.last]), operation.value);
        return line;
    }
    bool refused() const { return false; }

    std::vector<Operation> operations() const {
        std::vector<Operation> all;
        if (!laid_out_) {
            for (std::uint16_t layout = 0; layout < layouts; layout = static_cast<std::uint16_t>(layout + bounds_.layouts)) all.push_back({Kind::layout, 0, 0, layout});
            return all;
        }
        for (std::uint8_t at = 0; at < works_.size(); ++at)
            for (const std::uint64_t budget : bounds_.budgets) all.push_back({Kind::step, at, 0, static_cast<std::uint16_t>(budget)});
        if (left_ > 0 && works_.size() < bounds_.at_once) add_works(all);
        for (std::uint8_t page = 0; page < watched && accesses_ > 0; ++page) {
            if (page == rest) continue;
            if (!hidden(page)) {
                // What is not there at all, and is nobody's, tells nothing.
                if (pages_[0][page].there) all.push_back({Kind::write_page, page, page, 0});
                if (!pages_[0][page].there && mapped_[page].there) all.push_back({Kind::enter, page, page});
            }
            if (copied_ && pages_[1][page].there) all.push_back({Kind::write_page, page, page, 1});
        }
        return all;
    }

    void apply(const Operation& operation) {
        // Every CPU has used every page by now.
        for (unsigned space = 0; space < 2; ++space)
            for (unsigned page = 0; page < watched; ++page) memory_.held[space][page] = held_by_tlb(space, page);
        switch (operation.kind) {
        case Kind::layout: lay_out(operation.value); break;
        case Kind::step: step(works_.at(operation.first), operation.value); break;
        case Kind::write_page: write_to(operation.value, operation.first); --accesses_; break;
        case Kind::enter: enter(operation.first); --accesses_; break;
        default: begin(operation); --left_; break;
        }
        std::erase_if(works_, [](const Work& work) { return work.ended; });
        check();
    }

    std::string key() const {
        std::map<std::uint64_t, char> names{{shared_, 'S'}};
        std::string key{static_cast<char>('0' + left_), static_cast<char>('0' + accesses_), laid_out_ ? 'l' : 'n', copied_ ? 'c' : '.'};
        for (unsigned space = 0; space < 2; ++space) {
            for (unsigned at = 0; at < 3; ++at) key += kernel::entry::is_table(words(tops_[space])[at], 1) ? 't' : '.';
            for (unsigned page = 0; page < watched; ++page) {
                const std::uint64_t value = entry_of(space, numbers[page]);
                key += std::to_string(value & ~kernel::entry::address_mask);
                if (kernel::entry::has_frame(value)) {
                    const std::uint64_t frame = value & kernel::entry::address_mask;
                    key += names.try_emplace(frame, static_cast<char>('a' + names.size())).first->second;
                    key += static_cast<char>('0' + content_of(frame));
                }
                const Page& expected = pages_[space][page];
                key += expected.there ? expected.shared ? 's' : 'p' : '-';
                key += static_cast<char>('0' + expected.protection + 4 * expected.allowed);
            }
        }
        for (const Mapped& mapped : mapped_) key += mapped.there ? static_cast<char>('a' + mapped.protection + 4 * mapped.allowed) : '.';
        std::vector<std::string> works;
        for (const Work& work : works_)
            works.push_back(std::to_string(static_cast<int>(work.kind)) + ' ' + std::to_string(work.first) + ' ' + std::to_string(work.last) + ' ' + std::to_string(work.value) + ' ' +
                            std::to_string(work.phase) + ' ' + std::to_string(work.walk.begin) + ' ' + std::to_string(work.walk.at));
        std::sort(works.begin(), works.end());
        for (const std::string& work : works) key += '/' + work;
        return key;
    }

private:
    // What the space knows of a shared Memory at a page, entered or not.
    struct Mapped {
        bool there = false;
        abi::Protection protection = 0, allowed = 0;
        bool operator==(const Mapped&) const = default;
    };
    struct Work {
        Kind kind;
        std::uint8_t first, last;
        std::uint16_t value;
        unsigned phase; // of a mark: look, mark. Of a move: look, prepare, commit.
        kernel::Walk walk;
        bool ended = false;

        bool hides() const { return kind == Kind::mark || kind == Kind::unmap || kind == Kind::move || kind == Kind::drop; }
        bool touches(unsigned from, unsigned to) const {
            if (from <= last && first <= to) return true;
            return kind == Kind::move && from <= value + (last - first) && value <= to;
        }
    };

    static std::uint64_t begin_of(unsigned page) { return numbers[page] * abi::page_size; }
    static std::uint64_t end_of(unsigned page) { return (numbers[page] + 1) * abi::page_size; }
    const Words& words(std::uint64_t physical) const { return *memory_.tables.at(physical / abi::page_size - 1); }
    std::uint8_t content_of(std::uint64_t frame) const { return memory_.frames.at((frame - Machine::frame_base) / abi::page_size).content; }
    std::uint64_t entry_of(unsigned space, std::uint64_t number) const {
        const std::uint64_t top = words(tops_[space])[number / 512];
        return kernel::entry::is_table(top, 1) ? words(top & kernel::entry::address_mask)[number % 512] : top;
    }
    // Of a table that is not there, what stands for all of it.
    Words words_of(unsigned space, unsigned table) const {
        const std::uint64_t top = words(tops_[space])[table];
        if (kernel::entry::is_table(top, 1)) return words(top & kernel::entry::address_mask);
        Words all;
        all.fill(top);
        return all;
    }
    std::uint64_t held_by_tlb(unsigned space, unsigned page) const {
        const std::uint64_t value = entry_of(space, numbers[page]);
        return (value & kernel::entry::present) != 0 ? value : 0;
    }
    bool hidden(unsigned page) const {
        return std::any_of(works_.begin(), works_.end(), [&](const Work& work) { return work.hides() && work.touches(page, page); });
    }
    bool in_work(unsigned first, unsigned last) const {
        return std::any_of(works_.begin(), works_.end(), [&](const Work& work) { return work.touches(first, last); });
    }
    bool moved(unsigned first, unsigned last) const {
        return std::any_of(works_.begin(), works_.end(), [&](const Work& work) { return work.kind == Kind::move && work.touches(first, last); });
    }
    bool empty(unsigned first, unsigned last) const {
        for (unsigned page = first; page <= last; ++page)
            if (pages_[0][page].there || mapped_[page].there) return false;
        return true;
    }
    bool all_mapped(unsigned first, unsigned last) const {
        return std::all_of(mapped_.begin() + first, mapped_.begin() + last + 1, [](const Mapped& mapped) { return mapped.there; });
    }

    void add_works(std::vector<Operation>& all) const {
        // All of the middle table, over one of its borders or both, within it, and next to it.
        static constexpr std::uint8_t ranges[][2] = {{0, 0}, {1, 2}, {4, 4}, {5, 6}, {0, 2}, {1, 4}, {2, 5}, {0, 6}};
        for (const auto& [first, last] : ranges) {
            if (all_mapped(first, last) && !moved(first, last))
                for (const Kind kind : {Kind::shrink, Kind::seal, Kind::drop}) all.push_back({kind, first, last});
            if (in_work(first, last)) continue;
            if (empty(first, last)) {
                all.push_back({Kind::mark, first, last, both});
                continue;
            }
            all.push_back({Kind::unmap, first, last});
            for (const abi::Protection protection : {read, both}) {
                const bool allowed = std::all_of(mapped_.begin() + first, mapped_.begin() + last + 1,
                                                 [&](const Mapped& mapped) { return !mapped.there || (protection & ~mapped.allowed) == 0; });
                if (allowed) all.push_back({Kind::protect, first, last, static_cast<std::uint16_t>(protection)});
            }
        }
        for (const auto& [from, to] : {std::pair<std::uint8_t, std::uint8_t>{0, 5}, {1, 5}, {5, 0}, {5, 1}}) {
            const auto last = static_cast<std::uint8_t>(from + 1);
            if (!empty(from, last) && empty(to, to + 1u) && !in_work(from, last) && !in_work(to, to + 1u)) all.push_back({Kind::move, from, last, to});
        }
        if (bounds_.forks && works_.empty() && !copied_ && !empty(0, watched - 1)) all.push_back({Kind::fork, 0, watched - 1});
    }

    // --- what is there at first
    static constexpr std::uint16_t layouts = 2 * 17 * 3;
    void lay_out(unsigned layout) {
        laid_out_ = true;
        const unsigned before = layout % 2, middle = layout / 2 % 17, behind = layout / 34;
        const auto mark = [&](std::uint8_t first, std::uint8_t last) {
            begin({Kind::mark, first, last, both});
            // Each step goes on, or the check of the step says so.
            while (!works_.back().ended && broken().empty()) step(works_.back(), 1);
            works_.pop_back();
        };
        if (before != 0) {
            mark(0, 0);
            write_to(0, 0);
        }
        if (middle >= 9)
            for (unsigned page = 1; page <= 4; ++page) mapped_[page] = {true, both, both};
        else if (middle >= 1)
            mark(1, 4);
        const unsigned used = middle >= 9 ? middle - 9 : middle >= 1 ? middle - 1 : 0;
        for (const auto& [bit, page] : {std::pair{1u, 1u}, {2u, 2u}, {4u, 4u}}) {
            if ((used & bit) == 0) continue;
            if (middle >= 9)
                enter_one(page);
            else
                write_to(0, page);
        }
        if (behind >= 1) mark(5, 6);
        if (behind >= 2) write_to(0, 6);
        memory_.held = {};
    }

    // --- works
    void begin(const Operation& operation) {
        Environment environment{memory_, 0};
        Table table(environment, tops_[0], 1);
        const std::uint64_t from = begin_of(operation.first), to = end_of(operation.last);
        Work work{operation.kind, operation.first, operation.last, operation.value, 0, {from, to}};
        switch (operation.kind) {
        case Kind::mark: break;
        case Kind::unmap:
        case Kind::protect:
            require(table.split(from) && table.split(to), "a mark is not split");
            // Faults follow the mapping, so it comes before the pages.
            if (operation.kind == Kind::protect)
                for (unsigned page = operation.first; page <= operation.last; ++page) mapped_[page].protection = mapped_[page].there ? operation.value & mapped_[page].allowed : 0;
            break;
        case Kind::move:
            require(table.split(from) && table.split(to), "a mark is not split");
            look_at_target(work);
            break;
        case Kind::fork: work.walk = {0, 512ull * 512 * abi::page_size}; break;
        case Kind::seal:
            for (unsigned page = operation.first; page <= operation.last; ++page) {
                mapped_[page].protection &= ~write;
                mapped_[page].allowed &= ~write;
            }
            break;
        default: break;
        }
        works_.push_back(work);
    }
    static void look_at_target(Work& work) { work.walk = {begin_of(work.value), end_of(work.value + (work.last - work.first))}; }

    // The adapter: one function for each walk of the page table. True where it was not refused.
    bool walk_on(Work& work) {
        Environment environment{memory_, 0}, other{memory_, 1};
        Table table(environment, tops_[0], 1), copy(other, tops_[1], 1);
        const std::uint64_t target = begin_of(work.kind == Kind::move ? work.value : 0);
        switch (work.kind) {
        case Kind::mark: return work.phase == 0 ? table.empty(work.walk) : table.mark(work.walk, work.value).has_value();
        case Kind::move:
            if (work.phase == 0) return table.empty(work.walk);
            return (work.phase == 1 ? table.prepare_move(work.walk, target) : table.commit_move(work.walk, target)).has_value();
        case Kind::protect: return table.protect(work.walk, work.value).has_value();
        case Kind::fork: return table.fork(work.walk, copy).has_value();
        case Kind::drop: {
            // Space::take_away begins anew where it is, for the mapping may have been cut meanwhile.
            kernel::Walk walk(work.walk.at, work.walk.end, work.walk.work);
            const bool done = table.unmap(walk).has_value();
            work.walk = walk;
            return done;
        }
        case Kind::seal:
            table.for_each_page(work.walk, [](std::uint64_t, std::uint64_t value) { return value & ~(kernel::entry::writable | kernel::entry::allow_write); });
            return true;
        // A shrink's walk is kept, though take_away begins it anew too: who has grown the Memory again may use pages behind it, for which a table is to stay.
        default: return table.unmap(work.walk).has_value();
        }
    }

    void step(Work& work, std::uint64_t budget) {
        const std::uint64_t before = work.walk.at;
        const std::array<Words, 3> were{words_of(0, 0), words_of(0, 1), words_of(0, 2)};
        const Pages pages = pages_[0];
        std::array<bool, watched> marked{};
        for (unsigned page = 0; page < watched; ++page) marked[page] = kernel::entry::is_mark(entry_of(0, numbers[page]));
        work.walk.work = budget;
        if (!require(walk_on(work), "a step is refused")) return;
        const std::uint64_t after = work.walk.at;
        require(after > before, "a step does nothing");
        require(after <= work.walk.end, "a walk passes its end");
        require(work.walk.done() || work.walk.stopped(), "a step ends early");
        require(pieces(work, were, before, after) <= budget, "a step does more than its budget");
        for (unsigned page = 0; page < watched; ++page)
            if (before <= begin_of(page) && begin_of(page) < after) specify(work, page, pages[page], marked[page]);
        if (work.walk.done()) go_on(work);
    }
    // Entries that differ, each of which is 1 at least. Marks of all kinds go as one where they are taken out, and with nothing between them.
    static std::uint64_t pieces(const Work& work, const std::array<Words, 3>& were, std::uint64_t before, std::uint64_t after) {
        const bool takes = work.kind == Kind::unmap || work.kind == Kind::shrink || work.kind == Kind::drop;
        std::uint64_t count = 0, last = 0;
        const std::uint64_t first = before / abi::page_size, end = std::min(after / abi::page_size, all_pages);
        for (std::uint64_t number = first; number < end; ++number) {
            const std::uint64_t word = were[number / 512][number % 512], worth = takes && !kernel::entry::has_frame(word) ? 0 : word;
            if (number == first || worth != last) ++count;
            last = worth;
        }
        return count;
    }

    // What a page means once a walk has passed it.
    void specify(const Work& work, unsigned at, const Page& before, bool marked) {
        Page& page = pages_[0][at];
        switch (work.kind) {
        case Kind::mark:
            if (work.phase == 1) page = {true, false, work.value};
            break;
        case Kind::protect:
            if (page.there) page.protection = page.shared ? work.value & (page.allowed | read) : work.value;
            break;
        case Kind::seal:
            if (!page.there || !page.shared) break;
            page.allowed &= ~write;
            page.protection &= ~write;
            break;
        case Kind::move: {
            if (work.phase == 0) break;
            Page& target = pages_[0][work.value + at - work.first];
            // A mark is in both places until the second walk, which nobody sees.
            if (work.phase == 1 && marked) target = before;
            if (work.phase != 2) break;
            target = before;
            page = {};
            break;
        }
        case Kind::fork:
            // Shared pages come by faults there.
            pages_[1][at] = page.shared ? Page{} : page;
            break;
        default: page = {}; break;
        }
    }
    // The next walk of a work, or its end.
    void go_on(Work& work) {
        if (work.kind == Kind::mark && work.phase == 0) {
            work.phase = 1;
            work.walk = {begin_of(work.first), end_of(work.last)};
            return;
        }
        if (work.kind == Kind::move && work.phase < 2) {
            ++work.phase;
            work.walk = {begin_of(work.first), end_of(work.last)};
            return;
        }
        work.ended = true;
        if (work.kind == Kind::move)
            for (unsigned page = work.first; page <= work.last; ++page) mapped_[work.value + page - work.first] = std::exchange(mapped_[page], {});
        if (work.kind == Kind::fork) copied_ = true;
        if (work.kind == Kind::unmap || work.kind == Kind::drop)
            for (unsigned page = work.first; page <= work.last; ++page) mapped_[page] = {};
        // Of all of a table nothing is left, not even the table, unless something came in behind the walk.
        if ((work.kind == Kind::unmap || work.kind == Kind::shrink) && work.first <= 1 && work.last >= 4) {
            const std::uint64_t top = words(tops_[0])[1];
            const auto holds = [&](const Words& table) { return std::any_of(table.begin(), table.end(), [](std::uint64_t word) { return word != 0; }); };
            require(top == 0 || (kernel::entry::is_table(top, 1) && holds(words(top & kernel::entry::address_mask))), "a table stays where nothing is in it");
        }
    }

    // --- faults
    void write_to(unsigned space, unsigned at) {
        Environment environment{memory_, space};
        Table table(environment, tops_[space], 1);
        Page& page = pages_[space][at];
        // As Space::resolve does it.
        std::uint64_t frame = works_.empty() ? table.resolve_first_access(begin_of(at), write) : 0;
        if (frame == 0) frame = table.resolve(begin_of(at), write).value_or(0);
        if (!require((frame != 0) == ((page.protection & write) != 0), "an access is refused, or let through, that must not be")) return;
        if (frame == 0 || page.shared) return;
        memory_.frame(frame).content = 1;
        page.content = 1;
    }
    void enter_one(unsigned at) {
        Environment environment{memory_, 0};
        Table table(environment, tops_[0], 1);
        ++memory_.frame(shared_).references;
        require(table.map(begin_of(at), shared_, flags_of(at)).has_value(), "a page is not entered");
        enter_in(at);
    }
    void enter(unsigned at) {
        enter_one(at);
        // The one beside it comes along, where it is the same mapping's and none is in work there.
        const unsigned first = at == 1 || at == 2 ? 1 : at == 5 || at == 6 ? 5 : at, last = first == 1 || first == 5 ? first + 1 : first;
        if (in_work(first, last) || !(mapped_[first] == mapped_[last])) return;
        Environment environment{memory_, 0};
        Table table(environment, tops_[0], 1);
        table.fill(begin_of(first), end_of(last), flags_of(at), [&](std::uint64_t) {
            ++memory_.frame(shared_).references;
            return shared_;
        });
        for (unsigned page = first; page <= last; ++page)
            if (!pages_[0][page].there) enter_in(page);
    }
    std::uint64_t flags_of(unsigned at) const { return Table::shared_flags(mapped_[at].protection, mapped_[at].allowed); }
    void enter_in(unsigned at) { pages_[0][at] = {true, true, mapped_[at].protection, mapped_[at].allowed}; }

    // --- what holds in each state
    void check() {
        std::array<unsigned, std::tuple_size_v<decltype(memory_.frames)>> references{};
        const auto of = [&](std::uint64_t value) -> unsigned& { return references.at(((value & kernel::entry::address_mask) - Machine::frame_base) / abi::page_size); };
        of(shared_) = 1;
        std::ptrdiff_t tables = 2;
        for (unsigned space = 0; space < 2; ++space) {
            const Words& top = words(tops_[space]);
            require(std::all_of(top.begin() + 3, top.end(), [](std::uint64_t word) { return word == 0; }), "something is where nothing was put");
            const std::uint64_t alike = entry_of(space, numbers[rest]);
            for (unsigned at = 0; at < 3; ++at) {
                const std::uint64_t others = at == 1 ? alike : 0;
                if (!kernel::entry::is_table(top[at], 1)) {
                    require(top[at] == others, "a page has the meaning of another");
                    continue;
                }
                ++tables;
                const Words& table = words(top[at] & kernel::entry::address_mask);
                std::ptrdiff_t differing = std::count_if(table.begin(), table.end(), [&](std::uint64_t word) { return word != others; });
                for (const std::uint64_t number : numbers) {
                    if (number / 512 != at) continue;
                    const std::uint64_t value = table[number % 512];
                    if (value != others) --differing;
                    if (kernel::entry::has_frame(value)) ++of(value);
                }
                require(differing == 0, "a page has the meaning of another");
            }
            for (unsigned page = 0; page < watched; ++page) check_page(space, page);
        }
        require(tables == std::count_if(memory_.tables.begin(), memory_.tables.end(), [](const auto& each) { return each.has_value(); }), "a table is kept that nothing leads to");
        for (std::size_t at = 0; at < references.size(); ++at)
            require(memory_.frames[at].references == references[at], "the references of a frame are not its entries");
        for (unsigned space = 0; space < 2; ++space)
            for (unsigned page = 0; page < watched; ++page) {
                const std::uint64_t value = entry_of(space, numbers[page]), frame = value & kernel::entry::address_mask;
                if ((value & kernel::entry::present) != 0 && (value & kernel::entry::private_copy) != 0 && (value & kernel::entry::writable) != 0)
                    require(of(frame) == 1, "a page that two have is writable without a copy");
            }
    }

    void check_page(unsigned space, unsigned at) {
        const Page& page = pages_[space][at];
        const std::uint64_t value = entry_of(space, numbers[at]), held = memory_.held[space][at];
        if (!page.there) {
            require(value == 0, "a page is there that was taken away, or not reached yet");
        } else if (kernel::entry::is_mark(value)) {
            require(!page.shared && page.content == 0, "a content is lost");
            require(kernel::entry::mark_protection(value) == page.protection, "a mark has another protection");
        } else if (require(kernel::entry::has_frame(value), "a page is lost")) {
            const std::uint64_t frame = value & kernel::entry::address_mask;
            require(page.shared == (frame == shared_), "a page has another frame");
            require(content_of(frame) == page.content, "a page has another content");
            require(((value & kernel::entry::present) != 0) == (page.protection != 0), "a page without rights is present, or one with rights is not");
            require((value & kernel::entry::writable) == 0 || (page.protection & write) != 0, "a page is writable that must not be");
            require(((value & kernel::entry::allow_write) != 0) == (page.shared && (page.allowed & write) != 0), "a page is allowed more than its mapping, or less");
            require((value & kernel::entry::no_execute) != 0, "a page is executable that must not be");
        }
        // What TLBs hold after the flush of what was told lets nothing through that the table does not.
        if (held == 0) return;
        require((value & kernel::entry::present) != 0 && ((held ^ value) & kernel::entry::address_mask) == 0, "a TLB holds a page that is another's now");
        require((held & kernel::entry::writable) == 0 || (value & kernel::entry::writable) != 0, "a TLB lets a write through that the table does not");
    }

    RangeStepsBounds bounds_;
    unsigned left_, accesses_; // that may still come
    Memory memory_;
    std::uint64_t tops_[2] = {};
    std::uint64_t shared_ = 0;
    bool laid_out_ = false;
    bool copied_ = false;
    Pages pages_[2];
    std::array<Mapped, watched> mapped_;
    std::vector<Work> works_;
};

} // namespace explore
