// The frames of a Memory beside an ordered map.
#pragma once
#include <cstdlib>
#include <map>
#include <set>

#include "kernel/core/page_map.hpp"
#include "tests/cores/command.hpp"

namespace cores {

class PageMapModel {
public:
    PageMapModel() = default;
    PageMapModel(const PageMapModel&) = delete;
    PageMapModel& operator=(const PageMapModel&) = delete;
    // What a failed run leaves.
    ~PageMapModel() {
        for (void* node : nodes_) std::free(node);
    }

    void apply(const Command& command) {
        const std::uint64_t page = page_of(command);
        switch (command.kind % 6) {
        case 0:
        case 1: set(page, 4, UINT64_MAX); break;
        case 2: set(page, 1, command.kind / 6 % 4); break;
        case 3: check_at(page); break;
        case 4: check_next(page, command.kind / 6); break;
        case 5: truncate(page, kernel::PageMap::least_work + command.value); break;
        }
        check_at(page);
    }

    void finish() {
        for (const auto& [page, frame] : expected_) require(map_.get(page) == frame, "a frame is lost");
        check_next(0, 8);
        truncate(0, kernel::PageMap::least_work);
        require(map_.empty() && nodes_.empty(), "an empty map keeps nodes");
    }

private:
    // Few nodes, at each of the levels: pages come near each other and near the borders of nodes.
    static std::uint64_t page_of(const Command& command) {
        constexpr std::uint64_t fan_out = kernel::PageMap::fan_out;
        constexpr std::uint64_t borders[] = {0, fan_out, 2 * fan_out, 40 * fan_out, fan_out * fan_out, fan_out * fan_out + 7 * fan_out, 5 * fan_out * fan_out, kernel::PageMap::max_pages};
        const std::uint64_t border = borders[command.subject % std::size(borders)];
        const std::uint64_t off = command.value % 24;
        return off < 12 && border > off ? border - 1 - off : border == kernel::PageMap::max_pages ? border - 1 - off : border + off % 12;
    }

    void* allocate() {
        if (left_ == 0) return nullptr;
        --left_;
        void* const node = std::calloc(1, abi::page_size);
        nodes_.insert(node);
        return node;
    }

    void set(std::uint64_t page, unsigned count, std::uint64_t memory) {
        for (; count != 0 && page < kernel::PageMap::max_pages; --count, ++page) {
            const std::uint64_t frame = next_frame_ += abi::page_size;
            left_ = memory;
            const auto done = map_.set(page, frame, [&] { return allocate(); });
            require(done || (memory != UINT64_MAX && done.error() == abi::Error::no_memory), "a frame is refused that there is memory for");
            if (done) expected_[page] = frame;
        }
    }

    void check_at(std::uint64_t page) const {
        for (const std::uint64_t at : {page, page ? page - 1 : 0, page + 1}) {
            const auto found = expected_.find(at);
            require(map_.get(at) == (found == expected_.end() ? 0 : found->second), "a page has another frame");
        }
    }

    // From page to page, in steps of some words.
    void check_next(std::uint64_t page, std::uint64_t words) const {
        for (auto expected = expected_.lower_bound(page); page < kernel::PageMap::max_pages;) {
            const std::uint64_t next = map_.next(page, words);
            require(expected == expected_.end() || next <= expected->first, "a frame is passed over");
            if (map_.get(next) != 0) {
                require(expected != expected_.end() && next == expected->first, "a frame is found that is not there");
                ++expected;
                page = next + 1;
            } else {
                require(next > page && (next < kernel::PageMap::max_pages || expected == expected_.end()), "the walk does not get on");
                page = next;
            }
        }
    }

    void truncate(std::uint64_t first, std::uint64_t work) {
        for (bool done = false; !done;) {
            std::uint64_t dropped = 0, freed = 0;
            done = map_.truncate(
                first, work,
                [&](std::uint64_t frame) {
                    const auto next = expected_.lower_bound(first);
                    require(next != expected_.end() && next->second == frame, "another frame is dropped");
                    expected_.erase(next);
                    ++dropped;
                },
                [&](void* node) {
                    require(nodes_.erase(node) == 1, "a node is freed twice");
                    std::free(node);
                    ++freed;
                });
            require(done || dropped + freed != 0, "a step of a truncation does not come forward");
            require(dropped * kernel::PageMap::drop_work + freed * kernel::PageMap::fan_out <= work, "a step does more than it may");
        }
        require(expected_.lower_bound(first) == expected_.end(), "a frame is left behind the end");
        require(map_.next(first, UINT64_MAX) == kernel::PageMap::max_pages, "a frame is found behind the end");
    }

    kernel::PageMap map_;
    std::map<std::uint64_t, std::uint64_t> expected_;
    std::set<void*> nodes_;
    std::uint64_t left_ = 0;
    std::uint64_t next_frame_ = 0;
};

} // namespace cores
