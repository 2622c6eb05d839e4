// The frames of a Memory by page number: a radix tree whose nodes are pages. No architecture code and no lock, so the host tests walk it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace kernel {

// Nodes are page-sized arrays of 512 words; leaves hold physical addresses (0: none), the others pointers. Levels are added on top as the map grows.
class PageMap {
public:
    static constexpr std::uint64_t fan_out = 512;
    static constexpr std::uint64_t max_pages = fan_out * fan_out * fan_out;

    PageMap() = default;
    PageMap(const PageMap&) = delete;
    PageMap& operator=(const PageMap&) = delete;

    bool empty() const { return levels_ == 0; }

    std::uint64_t get(std::uint64_t page) const {
        if (page >= reach(levels_)) return 0;
        const Node* node = root_;
        for (unsigned level = levels_; level > 1; --level) {
            if (!node) return 0;
            node = reinterpret_cast<const Node*>(node->words[index(page, level)]);
        }
        return node ? node->words[index(page, 1)] : 0;
    }

    // The first page from `page` on that has a frame; max_pages where there is none. What has no node is skipped at once; a node's words are looked at one by one, and no
    // more than `words` of them: then the page to go on with is given, whether it has a frame or not.
    std::uint64_t next(std::uint64_t page, std::uint64_t words) const {
        while (page < reach(levels_)) {
            const Node* node = root_;
            unsigned level = levels_;
            while (node && level > 1) {
                node = reinterpret_cast<const Node*>(node->words[index(page, level)]);
                if (node) --level;
            }
            if (node && node->words[index(page, 1)]) return page;
            // What is empty has the span of one word at this level.
            const std::uint64_t span = reach(level - 1) ? reach(level - 1) : 1;
            page = (page / span + 1) * span;
            if (words-- == 0) return page;
        }
        return max_pages;
    }

    // Enters a frame. `allocate()` gives a zeroed page of 4 KiB or null. Errors: no_memory; the map is as before but for empty nodes.
    template <class Allocate>
    base::Result<void> set(std::uint64_t page, std::uint64_t frame, Allocate&& allocate) {
        while (levels_ == 0 || page >= reach(levels_)) {
            if (root_) {
                Node* top = static_cast<Node*>(allocate());
                if (!top) return std::unexpected(abi::Error::no_memory);
                top->words[0] = reinterpret_cast<std::uint64_t>(root_);
                root_ = top;
            }
            ++levels_;
        }
        Node** link = &root_;
        for (unsigned level = levels_;; --level) {
            if (!*link) *link = static_cast<Node*>(allocate());
            if (!*link) return std::unexpected(abi::Error::no_memory);
            if (level == 1) break;
            link = reinterpret_cast<Node**>(&(*link)->words[index(page, level)]);
        }
        (*link)->words[index(page, 1)] = frame;
        return {};
    }

    // What a truncation may do at once: words of nodes that it looks at, and for each frame as many as its end costs about as much as. `least_work` comes forward: past two nodes that stay at each level but the top.
    static constexpr std::uint64_t drop_work = 64;
    static constexpr std::uint64_t least_work = 6 * fan_out;

    // Calls `drop(frame)` for every frame from `first` on and takes it out; nodes that are empty then go to `free(page)`. False where the work was used up before the end:
    // the map is whole, and the next call with the same `first` goes on.
    template <class Drop, class Free>
    bool truncate(std::uint64_t first, std::uint64_t work, Drop&& drop, Free&& free) {
        if (levels_ == 0) return true;
        const After after = truncate_node(root_, levels_, first, work, drop, free);
        if (after == After::freed) {
            root_ = nullptr;
            levels_ = 0;
        }
        return after != After::stopped;
    }

private:
    struct Node {
        std::uint64_t words[fan_out];
    };

    static std::uint64_t reach(unsigned levels) {
        std::uint64_t pages = levels ? 1 : 0;
        for (unsigned i = 0; i < levels; ++i) pages *= fan_out;
        return pages;
    }
    static std::size_t index(std::uint64_t page, unsigned level) { return (page >> (9 * (level - 1))) % fan_out; }

    static bool take(std::uint64_t& work, std::uint64_t part) {
        if (work < part) return false;
        work -= part;
        return true;
    }

    // What became of a node.
    enum class After : std::uint8_t { kept, freed, stopped };

    // Depth is at most 3.
    template <class Drop, class Free>
    After truncate_node(Node* node, unsigned level, std::uint64_t first, std::uint64_t& work, Drop&& drop, Free&& free) {
        if (!node) return After::freed;
        if (!take(work, fan_out)) return After::stopped;
        const std::uint64_t span = reach(level - 1) ? reach(level - 1) : 1;
        bool empty = true;
        for (std::uint64_t i = 0; i < fan_out; ++i) {
            std::uint64_t& word = node->words[i];
            const std::uint64_t begin = i * span;
            if (!word) continue;
            After after = After::kept;
            if (begin + span > first && level == 1) {
                if (!take(work, drop_work)) return After::stopped;
                drop(word);
                after = After::freed;
            } else if (begin + span > first) {
                after = truncate_node(reinterpret_cast<Node*>(word), level - 1, first > begin ? first - begin : 0, work, drop, free);
                if (after == After::stopped) return after;
            }
            if (after == After::freed) {
                word = 0;
            } else {
                empty = false;
            }
        }
        if (!empty) return After::kept;
        free(node);
        return After::freed;
    }

    Node* root_ = nullptr;
    unsigned levels_ = 0;
};

} // namespace kernel
