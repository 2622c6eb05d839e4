// The machine under the models of ranges: tables and frames by their place, and what TLBs may hold. `numbers` are the pages that a model looks at, `count` how many tables there may be.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "kernel/core/page_table.hpp"

namespace explore {

template <std::array numbers, std::size_t count> struct RangesMachine {
    static constexpr unsigned watched = numbers.size();
    static constexpr std::uint64_t address_of(unsigned page) { return numbers[page] * abi::page_size; }
    // Frames and tables are named by their place, from one page on; frames stand above the tables.
    static constexpr std::uint64_t frame_base = 1ull << 30;

    using Words = std::array<std::uint64_t, 512>;
    struct Frame {
        unsigned references = 0;
        std::uint8_t content = 0;
    };
    struct Memory {
        std::array<std::optional<Words>, count> tables;
        std::array<Frame, 24> frames;
        unsigned left = UINT32_MAX; // allocations that still succeed
        // What TLBs may hold, of each space: every entry that a program could have used.
        std::array<std::array<std::uint64_t, watched>, 2> held{};

        Words& table(std::uint64_t physical) { return tables.at(physical / abi::page_size - 1).value(); }
        Frame& frame(std::uint64_t physical) {
            Frame& found = frames.at((physical - frame_base) / abi::page_size);
            if (found.references == 0) throw std::logic_error("a frame that is free is used");
            return found;
        }
        std::uint64_t allocate_table() {
            if (left == 0) return 0;
            --left;
            for (std::size_t at = 0; at < tables.size(); ++at)
                if (!tables[at]) {
                    tables[at].emplace();
                    return (at + 1) * abi::page_size;
                }
            throw std::logic_error("tables are lost");
        }
        std::uint64_t allocate_frame(std::uint8_t content) {
            if (left == 0) return 0;
            --left;
            for (std::size_t at = 0; at < frames.size(); ++at)
                if (frames[at].references == 0) {
                    frames[at] = {1, content};
                    return frame_base + at * abi::page_size;
                }
            throw std::logic_error("frames are lost");
        }
    };

    // What a page of a space is to be.
    struct Page {
        bool there = false;
        bool shared = false;
        abi::Protection protection = 0;
        abi::Protection allowed = 0; // of a shared one
        std::uint8_t content = 0;    // of a private one
    };
    using Pages = std::array<Page, watched>;

    // What the page table asks of the machine (kernel/core/page_table.hpp).
    struct Environment {
        Memory& memory;
        unsigned space;

        std::uint64_t* table(std::uint64_t physical) { return memory.table(physical).data(); }
        std::uint64_t allocate_table() { return memory.allocate_table(); }
        void drop_table(std::uint64_t physical) {
            for (const auto& each : memory.tables)
                if (each)
                    for (const std::uint64_t value : *each)
                        if (kernel::entry::is_table(value, 1) && (value & kernel::entry::address_mask) == physical) throw std::logic_error("a table in use is dropped");
            memory.table(physical);
            memory.tables.at(physical / abi::page_size - 1).reset();
        }
        std::uint64_t allocate_frame() { return memory.allocate_frame(0); }
        std::uint64_t allocate_copy(std::uint64_t physical) { return memory.allocate_frame(memory.frame(physical).content); }
        void retain(std::uint64_t physical) { ++memory.frame(physical).references; }
        bool alone(std::uint64_t physical) { return memory.frame(physical).references == 1; }
        void drop(std::uint64_t physical) {
            for (const std::uint64_t value : memory.held[space])
                if (value != 0 && (value & kernel::entry::address_mask) == physical) {
                    // Another page of the space may still have the frame by right; then its entry is there.
                    if (!entered(physical)) throw std::logic_error("a frame is dropped that a TLB may hold");
                }
            --memory.frame(physical).references;
        }
        void changed(std::uint64_t address) {
            for (unsigned page = 0; page < watched; ++page)
                if (address_of(page) == address) memory.held[space][page] = 0;
        }
        void top_changed(unsigned, std::uint64_t) {}
        bool entered(std::uint64_t physical) {
            for (const auto& each : memory.tables)
                if (each)
                    for (const std::uint64_t value : *each)
                        if (value >= frame_base && (value & kernel::entry::present) != 0 && (value & kernel::entry::address_mask) == physical) return true;
            return false;
        }
    };
    using Table = kernel::PageTable<Environment>;
};

} // namespace explore
