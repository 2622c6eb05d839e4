// The page table of a space against a model of what programs may see: a map from page to protection and content.
#include "kernel/core/page_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace kernel {
namespace {

using abi::page_size;
constexpr abi::Protection read = abi::protection::read, write = abi::protection::write, execute = abi::protection::execute;

// Frames with a reference count and one word of content, tables, and a note of which pages were told to the TLBs.
class Machine {
public:
    using Words = std::array<std::uint64_t, 512>;
    struct Frame {
        unsigned references = 1;
        std::uint64_t content = 0;
    };

    std::uint64_t* table(std::uint64_t physical) { return tables.at(physical)->data(); }
    std::uint64_t allocate_table() {
        if (!take()) return 0;
        tables[next_] = std::make_unique<Words>();
        return std::exchange(next_, next_ + page_size);
    }
    void drop_table(std::uint64_t physical) { ASSERT_EQ(tables.erase(physical), 1u); }
    std::uint64_t allocate_frame() {
        if (!take()) return 0;
        frames[next_] = {};
        return std::exchange(next_, next_ + page_size);
    }
    std::uint64_t allocate_copy(std::uint64_t physical) {
        const std::uint64_t copy = allocate_frame();
        if (copy != 0) frames[copy].content = frames.at(physical).content;
        return copy;
    }
    void retain(std::uint64_t physical) { ++frames.at(physical).references; }
    bool alone(std::uint64_t physical) { return frames.at(physical).references == 1; }
    void drop(std::uint64_t physical) {
        if (--frames.at(physical).references == 0) frames.erase(physical);
    }
    void changed(std::uint64_t address) { told.insert(address); }
    void top_changed(unsigned, std::uint64_t) {}

    std::map<std::uint64_t, std::unique_ptr<Words>> tables;
    std::map<std::uint64_t, Frame> frames;
    std::set<std::uint64_t> told; // pages whose TLB entries go
    std::uint64_t left = UINT64_MAX; // allocations that still succeed

private:
    bool take() { return left != 0 && left-- != 0; }
    std::uint64_t next_ = page_size;
};

struct Page {
    abi::Protection protection;
    std::uint64_t content = 0;
};
using Model = std::map<std::uint64_t, Page>;

// Pages around a border of 1 GiB, so that ranges cover and split entries of 2 MiB on both sides of it.
constexpr std::uint64_t first = (1ull << 30) - 768 * page_size;
constexpr std::uint64_t count = 1536;

// Works a range off in steps of a budget each. `step` gives a result or what is as good in a condition.
template <class Step> bool in_steps(std::uint64_t begin, std::uint64_t end, std::uint64_t budget, Step&& step) {
    Walk walk(begin, end);
    for (std::uint64_t before = begin; !walk.done(); before = walk.at) {
        walk.work = budget;
        if (!step(walk)) return false;
        // Each step gets on.
        EXPECT_GT(walk.at, before);
    }
    return true;
}

bool allowed(abi::Protection protection, abi::Protection access) {
    return access == read ? protection != 0 : (protection & access) != 0;
}

// Whether a TLB that holds `before` lets something through that `after` would not.
bool needs_telling(std::uint64_t before, std::uint64_t after) {
    if ((before & entry::present) == 0) return false;
    if ((after & entry::present) == 0 || ((before ^ after) & entry::address_mask) != 0) return true;
    return ((before & entry::writable) != 0 && (after & entry::writable) == 0) ||
           ((before & entry::no_execute) == 0 && (after & entry::no_execute) != 0);
}

class Driver {
public:
    Driver(Machine& machine, unsigned seed, std::uint64_t budget = Walk::unlimited)
        : machine_(machine), random_(seed), budget_(budget), table_(machine, machine.allocate_table(), 3) {}
    ~Driver() { table_.clear(); }

    PageTable<Machine>& table() { return table_; }
    Model& model() { return model_; }

    void step() {
        const std::uint64_t begin = first + random_() % count * page_size;
        const std::uint64_t most = (first + count * page_size - begin) / page_size;
        const auto protection = static_cast<abi::Protection>(random_() % 8);
        const auto before = entries();
        machine_.told.clear();
        // Long ranges cover whole entries of 2 MiB, short ones split them.
        const unsigned what = random_() % 8;
        const std::uint64_t pages = what == 0 || random_() % 8 == 0 ? 1 + random_() % most : 1 + random_() % std::min<std::uint64_t>(most, 8);
        const std::uint64_t end = begin + pages * page_size;
        switch (what) {
        case 0: mark(begin, end, protection); break;
        case 1: unmap(begin, end); break;
        case 2: protect(begin, end, protection); break;
        case 3: move(begin, end); break;
        default: access(begin); break;
        }
        expect_told(before);
    }

    // Reading changes nothing that a program sees, so every page is read.
    void check() {
        for (std::uint64_t page = first; page < first + count * page_size; page += page_size) {
            const auto known = model_.find(page);
            const auto frame = table_.resolve(page, read);
            ASSERT_EQ(frame.has_value(), known != model_.end() && allowed(known->second.protection, read)) << std::hex << page;
            if (frame) ASSERT_EQ(machine_.frames.at(*frame).content, known->second.content) << std::hex << page;
        }
    }

    std::map<std::uint64_t, std::uint64_t> entries() {
        std::map<std::uint64_t, std::uint64_t> result;
        for (std::uint64_t page = first; page < first + count * page_size; page += page_size)
            if (const std::uint64_t value = table_.look_up(page); entry::has_frame(value)) result[page] = value;
        return result;
    }
    void expect_told(const std::map<std::uint64_t, std::uint64_t>& before) {
        for (const auto& [page, value] : before)
            if (needs_telling(value, table_.look_up(page))) ASSERT_TRUE(machine_.told.contains(page)) << std::hex << page;
    }

private:
    bool any(std::uint64_t begin, std::uint64_t end) {
        const auto at = model_.lower_bound(begin);
        return at != model_.end() && at->first < end;
    }
    void mark(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        ASSERT_EQ(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.empty(walk); }), !any(begin, end));
        if (any(begin, end)) unmap(begin, end); // callers of mark do so, too
        ASSERT_TRUE(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.mark(walk, protection).has_value(); }));
        for (std::uint64_t page = begin; page < end; page += page_size) model_[page] = {protection};
    }
    void unmap(std::uint64_t begin, std::uint64_t end) {
        ASSERT_TRUE(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.unmap(walk).has_value(); }));
        model_.erase(model_.lower_bound(begin), model_.lower_bound(end));
        ASSERT_TRUE(table_.empty(begin, end));
    }
    void protect(std::uint64_t begin, std::uint64_t end, abi::Protection protection) {
        ASSERT_TRUE(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.protect(walk, protection).has_value(); }));
        for (auto at = model_.lower_bound(begin); at != model_.end() && at->first < end; ++at) at->second.protection = protection;
    }
    void move(std::uint64_t begin, std::uint64_t end) {
        const std::uint64_t to = first + random_() % count * page_size, bytes = end - begin;
        if (to + bytes > first + count * page_size || (to < end && begin < to + bytes) || any(to, to + bytes)) return;
        ASSERT_TRUE(table_.split(begin) && table_.split(end));
        ASSERT_TRUE(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.prepare_move(walk, to).has_value(); }));
        ASSERT_TRUE(in_steps(begin, end, budget_, [&](Walk& walk) { return table_.commit_move(walk, to).has_value(); }));
        for (std::uint64_t page = begin; page < end; page += page_size)
            if (auto node = model_.extract(page)) {
                node.key() = page - begin + to;
                model_.insert(std::move(node));
            }
    }
    void access(std::uint64_t page) {
        const auto known = model_.find(page);
        const abi::Protection wanted = random_() % 3 == 0 ? execute : write;
        const auto frame = table_.resolve(page, wanted);
        ASSERT_EQ(frame.has_value(), known != model_.end() && allowed(known->second.protection, wanted)) << std::hex << page;
        if (!frame || wanted != write) return;
        ASSERT_NE(table_.look_up(page) & entry::writable, 0u);
        machine_.frames.at(*frame).content = known->second.content = random_();
    }

    Machine& machine_;
    std::mt19937 random_;
    std::uint64_t budget_;
    PageTable<Machine> table_;
    Model model_;
};

// The smallest budgets stop at every entry.
TEST(PageTable, ShowsWhatTheModelShows) {
    for (unsigned seed = 1; seed <= 8; ++seed) {
        Machine machine;
        const std::uint64_t budget = seed <= 4 ? Walk::unlimited : 1 + (seed - 5) * 30;
        {
            Driver parent(machine, seed, budget), child(machine, seed + 100, budget);
            for (unsigned i = 0; i < 120 && !testing::Test::HasFatalFailure(); ++i) parent.step();
            const auto before = parent.entries();
            machine.told.clear();
            ASSERT_TRUE(in_steps(0, 1ull << 47, budget, [&](Walk& walk) { return parent.table().fork(walk, child.table()).has_value(); }));
            parent.expect_told(before);
            child.model() = parent.model();
            // What one writes, the other never sees.
            for (unsigned i = 0; i < 240 && !testing::Test::HasFatalFailure(); ++i) (i % 2 == 0 ? parent : child).step();
            parent.check();
            child.check();
        }
        EXPECT_TRUE(machine.frames.empty());
        EXPECT_EQ(machine.tables.size(), 2u); // the two roots
    }
}

TEST(PageTable, KeepsALargeMappingSmall) {
    Machine machine;
    PageTable table(machine, machine.allocate_table(), 3);
    ASSERT_TRUE(table.mark(0, 64ull << 30, read | write));
    EXPECT_EQ(machine.tables.size(), 2u); // the root, and one for the entries of 1 GiB
    ASSERT_TRUE(table.resolve(5ull << 30, write));
    EXPECT_EQ(machine.tables.size(), 4u);
    EXPECT_EQ(machine.frames.size(), 1u);
    table.clear();
    EXPECT_TRUE(machine.frames.empty());
}

TEST(PageTable, SharesWhatIsSharedAndGivesNoMoreThanWasAllowed) {
    Machine machine;
    PageTable table(machine, machine.allocate_table(), 3), copy(machine, machine.allocate_table(), 3);
    using Table = PageTable<Machine>;
    const std::uint64_t open = machine.allocate_frame(), closed = machine.allocate_frame();
    ASSERT_TRUE(table.map(first, open, Table::shared_flags(read | write, read | write)));
    ASSERT_TRUE(table.map(first + page_size, closed, Table::shared_flags(read, read)));
    EXPECT_EQ(table.map(first, open, Table::shared_flags(read, read)).error(), abi::Error::exists);
    ASSERT_TRUE(table.protect(first, first + 2 * page_size, read | write | execute));
    EXPECT_EQ(table.resolve(first, write).value_or(0), open);
    EXPECT_FALSE(table.resolve(first, execute));
    EXPECT_FALSE(table.resolve(first + page_size, write));
    EXPECT_EQ(table.resolve(first + page_size, read).value_or(0), closed);
    // A copy gets shared pages by its own faults, device pages with the tables.
    ASSERT_TRUE(table.map(first + 2 * page_size, 0xfee0'0000, Table::shared_flags(read, read) | entry::device));
    ASSERT_TRUE(table.fork(copy));
    EXPECT_TRUE(copy.empty(first, first + 2 * page_size));
    EXPECT_EQ(copy.resolve(first + 2 * page_size, read).value_or(0), 0xfee0'0000u);
    EXPECT_EQ(machine.frames.at(open).references, 1u);
    EXPECT_EQ(machine.frames.at(closed).references, 1u);
    table.clear();
    copy.clear();
    EXPECT_TRUE(machine.frames.empty());
}

TEST(PageTable, FillsWhatIsEmptyInATableThatIsThere) {
    Machine machine;
    PageTable table(machine, machine.allocate_table(), 3);
    using Table = PageTable<Machine>;
    const std::uint64_t flags = Table::shared_flags(read, read), begin = first & ~(512 * page_size - 1);
    std::vector<std::uint64_t> asked;
    const auto take = [&](std::uint64_t address) {
        asked.push_back(address);
        return address == begin + 3 * page_size ? 0 : machine.allocate_frame();
    };
    table.fill(begin, begin + 8 * page_size, flags, take);
    EXPECT_TRUE(asked.empty()); // no table, and none is made
    EXPECT_EQ(machine.tables.size(), 1u);
    ASSERT_TRUE(table.mark(begin, begin + 512 * page_size, read));
    table.fill(begin, begin + 8 * page_size, flags, take);
    EXPECT_TRUE(asked.empty()); // a mark is something that is there
    ASSERT_TRUE(table.unmap(begin, begin + 512 * page_size));
    const std::uint64_t frame = machine.allocate_frame();
    ASSERT_TRUE(table.map(begin + 2 * page_size, frame, Table::shared_flags(read | write, read | write)));
    ASSERT_TRUE(table.mark(begin + 4 * page_size, begin + 5 * page_size, read));
    const std::uint64_t there = table.look_up(begin + 2 * page_size), marked = table.look_up(begin + 4 * page_size);
    const std::size_t tables = machine.tables.size();
    machine.told.clear();
    table.fill(begin, begin + 8 * page_size, flags, take);
    EXPECT_EQ(asked, (std::vector<std::uint64_t>{begin, begin + page_size, begin + 3 * page_size, begin + 5 * page_size, begin + 6 * page_size, begin + 7 * page_size}));
    EXPECT_TRUE(table.look_up(begin + 2 * page_size) == there && table.look_up(begin + 4 * page_size) == marked);
    EXPECT_TRUE(table.look_up(begin + 3 * page_size) == 0 && table.look_up(begin + 8 * page_size) == 0);
    EXPECT_EQ(table.look_up(begin + page_size) & ~entry::address_mask, flags);
    // The last page of a table, and nothing of the next one.
    table.fill(begin + 511 * page_size, begin + 512 * page_size, flags, take);
    EXPECT_NE(table.look_up(begin + 511 * page_size), 0u);
    EXPECT_TRUE(machine.told.empty());
    EXPECT_EQ(machine.tables.size(), tables);
    table.clear();
    EXPECT_TRUE(machine.frames.empty());
}

// A private page whose Memory may still be written shows what that holds, but is executed as a copy alone.
TEST(PageTable, ExecutesNothingThatOthersMayWrite) {
    using Table = PageTable<Machine>;
    for (const abi::Protection protection : {execute, read | execute, read | write | execute}) {
        Machine machine;
        PageTable table(machine, machine.allocate_table(), 3), copy(machine, machine.allocate_table(), 3);
        const std::uint64_t frame = machine.allocate_frame();
        machine.retain(frame);
        ASSERT_TRUE(table.map(first, frame, Table::changeable_flags(read)));
        EXPECT_FALSE(table.resolve(first, execute));
        ASSERT_TRUE(table.protect(first, first + page_size, protection));
        EXPECT_NE(table.look_up(first) & entry::no_execute, 0u);
        EXPECT_EQ(table.resolve(first, read).value_or(0), frame);
        ASSERT_TRUE(table.fork(copy));
        machine.told.clear();
        machine.frames.at(frame).content = 7;
        const std::uint64_t own = table.resolve(first, execute).value_or(0);
        EXPECT_TRUE(own != frame && machine.frames.at(own).content == 7 && machine.told.contains(first));
        EXPECT_EQ(table.look_up(first) & entry::no_execute, 0u);
        // From here on it is a page like others.
        ASSERT_TRUE(table.protect(first, first + page_size, read) && table.protect(first, first + page_size, protection));
        EXPECT_EQ(table.resolve(first, execute).value_or(0), own);
        EXPECT_EQ(table.look_up(first) & entry::no_execute, 0u);
        // The fork's is still the Memory's. A write copies too; a frame that nobody else has is taken as it is.
        EXPECT_NE(copy.look_up(first) & entry::no_execute, 0u);
        if ((protection & write) != 0) {
            EXPECT_NE(copy.resolve(first, write).value_or(frame), frame);
        } else {
            machine.drop(frame);
            EXPECT_EQ(copy.resolve(first, execute).value_or(0), frame);
            machine.retain(frame);
        }
        EXPECT_EQ(copy.look_up(first) & entry::no_execute, 0u);
        table.clear();
        copy.clear();
        machine.drop(frame);
        EXPECT_TRUE(machine.frames.empty());
    }
}

// What is counted is what is there: sizes of ranges cost nothing, and marks move as they are.
TEST(PageTable, CountsEntriesNotAddresses) {
    Machine machine;
    PageTable table(machine, machine.allocate_table(), 3);
    constexpr std::uint64_t size = 64ull << 30, from = 1ull << 40, to = (1ull << 41) + 5 * page_size;
    std::uint64_t steps = 0;
    const auto steps_of = [&](std::uint64_t begin, std::uint64_t end, auto&& step) {
        steps = 0;
        return in_steps(begin, end, 1024, [&](Walk& walk) {
            ++steps;
            return step(walk);
        });
    };
    const auto prepare = [&](Walk& walk) { return table.prepare_move(walk, to).has_value(); };
    const auto commit = [&](Walk& walk) { return table.commit_move(walk, to).has_value(); };
    const auto unmap = [&](Walk& walk) { return table.unmap(walk).has_value(); };
    // Nothing, and one page in it.
    const std::uint64_t frame = machine.allocate_frame();
    ASSERT_TRUE(table.map(from + (17ull << 30), frame, PageTable<Machine>::shared_flags(read, read)));
    EXPECT_TRUE(steps_of(from, from + size, prepare) && steps <= 2);
    EXPECT_TRUE(steps_of(from, from + size, commit) && steps <= 2);
    EXPECT_EQ(table.resolve(to + (17ull << 30), read).value_or(0), frame);
    EXPECT_TRUE(table.empty(from, from + size));
    EXPECT_TRUE(steps_of(to, to + size, unmap) && steps <= 4);
    EXPECT_TRUE(machine.frames.empty());
    EXPECT_TRUE(steps_of(from, from + size, unmap)); // the empty tables
    // A mark, to a place that is not aligned as its entries are: two tables for each 1 GiB at most, not one for each 2 MiB.
    ASSERT_TRUE(table.mark(from, from + size, read | write));
    EXPECT_TRUE(steps_of(from, from + size, prepare));
    EXPECT_LE(steps, 2 * (size >> 30));
    EXPECT_TRUE(steps_of(from, from + size, commit));
    EXPECT_LE(machine.tables.size(), 4 * (size >> 30));
    EXPECT_TRUE(table.empty(from, from + size));
    EXPECT_TRUE(table.resolve(to + size - page_size, write));
    EXPECT_TRUE(steps_of(to, to + size, unmap));
    EXPECT_TRUE(machine.frames.empty());
    // The whole half.
    EXPECT_TRUE(steps_of(0, 1ull << 46, [&](Walk& walk) { return table.mark(walk, read).has_value(); }));
    EXPECT_LE(steps, 100u);
    EXPECT_TRUE(steps_of(0, 1ull << 47, unmap));
    EXPECT_EQ(machine.tables.size(), 1u);
}

// Whoever enters something behind a walk finds it there when the walk is done.
TEST(PageTable, KeepsWhatIsEnteredBehindAWalk) {
    Machine machine;
    PageTable table(machine, machine.allocate_table(), 3);
    constexpr std::uint64_t size = 4ull << 20;
    ASSERT_TRUE(table.mark(first, first + size, read | write));
    for (std::uint64_t page = first; page < first + size; page += page_size) ASSERT_TRUE(table.resolve(page, write));
    bool entered = false;
    EXPECT_TRUE(in_steps(first, first + size, 10, [&](Walk& walk) {
        const bool done = table.unmap(walk).has_value();
        if (!entered) entered = table.mark(first, first + page_size, read).has_value();
        return done;
    }));
    EXPECT_TRUE(entered && table.resolve(first, read));
    EXPECT_TRUE(table.empty(first + page_size, first + size));
    table.clear();
    EXPECT_TRUE(machine.frames.empty());
    EXPECT_EQ(machine.tables.size(), 1u);
}

// A move that memory does not last for leaves the source as it was.
TEST(PageTable, MovesAllOrNothing) {
    for (std::uint64_t limit = 0; limit < 16; ++limit) {
        Machine machine;
        PageTable table(machine, machine.allocate_table(), 3);
        constexpr std::uint64_t bytes = count * page_size, to = (1ull << 40) + 7 * page_size;
        ASSERT_TRUE(table.mark(first, first + bytes, read | write));
        for (const std::uint64_t page : {std::uint64_t(0), std::uint64_t(300), count - 1}) ASSERT_TRUE(table.resolve(first + page * page_size, write));
        machine.left = limit;
        const bool moved = table.move(first + page_size, to, bytes - page_size).has_value();
        machine.left = UINT64_MAX;
        const std::uint64_t there = moved ? to - page_size : first;
        EXPECT_TRUE(table.empty(moved ? first + page_size : to, moved ? first + bytes : to + bytes)) << limit;
        for (std::uint64_t page = 1; page < count; ++page) EXPECT_NE(table.look_up(there + page * page_size), 0u) << limit;
        EXPECT_EQ(machine.frames.size(), 3u);
        table.clear();
        EXPECT_EQ(machine.tables.size(), 1u);
    }
}

TEST(PageTable, LosesNothingWhereMemoryEnds) {
    for (std::uint64_t limit = 0; limit < 12; ++limit) {
        Machine machine;
        PageTable table(machine, machine.allocate_table(), 3), copy(machine, machine.allocate_table(), 3);
        machine.left = limit;
        const bool made = table.mark(first, first + count * page_size, read | write).has_value();
        if (made && table.resolve(first + 300 * page_size, write)) {
            // Splitting a mark may fail; what lies beside the range is there all the same.
            (void)table.unmap(first + 301 * page_size, first + 302 * page_size);
            EXPECT_EQ(table.empty(first + 300 * page_size, first + 301 * page_size), false);
            (void)table.fork(copy);
        }
        table.clear();
        copy.clear();
        EXPECT_TRUE(machine.frames.empty()) << limit;
        EXPECT_EQ(machine.tables.size(), 2u) << limit;
    }
}

} // namespace
} // namespace kernel
