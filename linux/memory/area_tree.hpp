// The areas of an address space in the order of their addresses, without overlaps. Plain data structure: no kernel call, no lock of its own.
#pragma once
#include "lib/base/vector.hpp"
#include "linux/memory/area.hpp"

namespace personality {

// A sorted vector of pointers: looked up by binary search; most programs have fewer than 200 areas.
class AreaTree {
public:
    static constexpr std::size_t limit = 65530; // vm.max_map_count

    AreaTree() = default;
    AreaTree(const AreaTree&) = delete;
    AreaTree& operator=(const AreaTree&) = delete;
    ~AreaTree() { clear(); }

    std::size_t size() const { return areas_.size(); }
    Area& at(std::size_t index) { return *areas_[index]; }
    std::uint64_t total_bytes() const { return bytes_; }
    // The area with `address`, or null.
    Area* find(std::uint64_t address);
    // The index of the first area that ends behind `address`; size() where none does.
    std::size_t lower_bound(std::uint64_t address) const;

    // Room for `count` more areas, so that what follows cannot fail. ENOMEM.
    LinuxResult<void> reserve(std::size_t count);
    // The range must be free. Merges with its neighbours where they fit. Needs reserve(1).
    LinuxResult<void> insert(Area area);
    // Makes `address` a border between two areas. Needs reserve(1). ENOMEM.
    LinuxResult<void> split(std::uint64_t address);
    // Removes what lies in the range; borders are split first. ENOMEM (nothing changed).
    LinuxResult<void> remove(std::uint64_t start, std::uint64_t end);
    // Merges neighbours that fit around and in the range, after properties changed.
    void merge(std::uint64_t start, std::uint64_t end);
    // True where all of the range is in areas.
    bool covered(std::uint64_t start, std::uint64_t end) const;
    // The highest free range of `length` bytes below `top` and not below `bottom`, with `gap` free bytes kept below areas that grow down. 0: none.
    std::uint64_t find_free_below(std::uint64_t bottom, std::uint64_t top, std::uint64_t length, std::uint64_t alignment = abi::page_size) const;
    bool is_free(std::uint64_t start, std::uint64_t end) const;
    void clear();

    auto begin() { return areas_.begin(); }
    auto end() { return areas_.end(); }
    // Keeps the sum of bytes right when an area is resized in place (stack growth, brk).
    void resize(Area& area, std::uint64_t start, std::uint64_t end);

private:
    bool try_merge(std::size_t left);
    base::Vector<Area*> areas_;
    std::uint64_t bytes_ = 0;
};

} // namespace personality
