// The table of slots beside a map from handle to value.
#pragma once
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "kernel/core/slot_table.hpp"
#include "tests/cores/command.hpp"

namespace cores {

class SlotTableModel {
    struct Pages {
        std::size_t limit = SIZE_MAX;
        std::size_t in_use = 0;
        void* allocate_page() {
            if (in_use >= limit) return nullptr;
            ++in_use;
            return std::calloc(1, abi::page_size);
        }
        void free_page(void* page) {
            --in_use;
            std::free(page);
        }
    };
    // On the heap, so that the sanitizers see an entry that is kept, lost or given away twice.
    struct Entry {
        std::unique_ptr<std::uint64_t> value;
    };

public:
    void apply(const Command& command) {
        switch (command.kind % 8) {
        case 0:
        case 1: insert(1 + command.subject % 16); break;
        case 2: remove(live(command)); break;
        case 3: remove(given(command)); break;
        case 4: look_up(given(command)); break;
        // Made up: a live index with a generation that is near, or any.
        case 5: look_up(live(command) + ((std::uint64_t{command.subject} - 128) << 32)); break;
        case 6: pages_.limit = command.value % 4 == 0 ? pages_.in_use + command.subject % 3 : SIZE_MAX; break;
        case 7:
            if (command.value % 8 == 0) tear_down(1 + command.subject);
            break;
        }
        require(table_.count() == expected_.size(), "the count is not the number of entries");
    }

    void finish() {
        for (const abi::Handle handle : given_) look_up(handle);
        tear_down(7);
        table_.clear([](Entry&&) { throw Broken("a table that was emptied has an entry"); });
    }

private:
    abi::Handle given(const Command& command) const { return given_.empty() ? command.value : given_[command.value % given_.size()]; }
    abi::Handle live(const Command& command) const {
        if (expected_.empty()) return command.value;
        return std::next(expected_.begin(), static_cast<std::ptrdiff_t>(command.value % expected_.size()))->first;
    }

    void insert(unsigned times) {
        for (; times != 0; --times) {
            const std::uint64_t value = next_value_++;
            Entry entry{std::make_unique<std::uint64_t>(value)};
            const auto handle = table_.insert(std::move(entry));
            if (!handle) {
                const std::size_t needed = pages_.in_use == 0 ? 2 : 1; // the first slots come with the directory
                require(pages_.in_use + needed > pages_.limit && handle.error() == abi::Error::no_memory, "an entry is refused that there is memory for");
                require(entry.value && *entry.value == value, "an entry that was refused is gone");
                return;
            }
            require(*handle != 0, "the handle that is never valid is given");
            require(ever_.insert(*handle).second, "a handle is given twice");
            given_.push_back(*handle);
            expected_.emplace(*handle, value);
        }
    }

    void look_up(abi::Handle handle) {
        const Entry* const found = table_.find(handle);
        const auto expected = expected_.find(handle);
        require((found != nullptr) == (expected != expected_.end()), found ? "an old handle names an entry" : "a handle names nothing");
        if (found) require(found->value && *found->value == expected->second, "a handle names another entry");
    }

    void remove(abi::Handle handle) {
        Entry removed;
        const bool done = table_.remove(handle, removed);
        const auto expected = expected_.find(handle);
        require(done == (expected != expected_.end()), done ? "an old handle removes an entry" : "an entry is not removed");
        require(done == (removed.value != nullptr), "what is removed is not what is given");
        if (!done) return;
        require(*removed.value == expected->second, "another entry is removed");
        expected_.erase(expected);
    }

    // In steps: each looks at no more slots than it may, and gives each entry once.
    void tear_down(std::size_t slots) {
        std::multiset<std::uint64_t> left;
        for (const auto& [handle, value] : expected_) left.insert(value);
        std::uint32_t cursor = 0;
        for (bool more = true; more;) {
            const std::uint32_t before = cursor;
            Entry entry;
            more = table_.take_next(cursor, entry, slots);
            require(cursor - before <= slots, "a step looks at more slots than it may");
            if (entry.value) require(left.erase(*entry.value) == 1, "an entry is taken twice");
        }
        require(left.empty() && table_.count() == 0, "an entry is left behind");
        expected_.clear();
        for (const abi::Handle handle : given_) look_up(handle);
        std::size_t before = pages_.in_use;
        while (table_.free_pages(1)) {
            require(pages_.in_use + 1 == before, "a step frees more pages than it may");
            before = pages_.in_use;
        }
        require(pages_.in_use == 0, "an emptied table keeps pages");
        for (const abi::Handle handle : given_) look_up(handle);
        // A table that begins anew begins with the first handles.
        given_.clear();
        ever_.clear();
    }

    Pages pages_;
    kernel::SlotTable<Entry, Pages> table_{pages_};
    std::map<abi::Handle, std::uint64_t> expected_;
    std::vector<abi::Handle> given_;
    std::set<abi::Handle> ever_;
    std::uint64_t next_value_ = 1;
};

} // namespace cores
