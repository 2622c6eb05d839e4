#include "linux/memory/area_tree.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {

// Linux keeps a guard gap below stacks, so that an overflow does not run into another mapping.
constexpr std::uint64_t stack_gap = 256 * abi::page_size;

bool fit(const Area& left, const Area& right) {
    if (left.end != right.start || left.protection != right.protection || left.flags != right.flags || left.file != right.file)
        return false;
    if (left.has(area_flag::grows_down | area_flag::stack | area_flag::vdso | area_flag::vvar))
        return false;
    return left.anonymous() || left.offset + left.length() == right.offset;
}

std::uint64_t start_with_gap(const Area& area) {
    if (!area.has(area_flag::grows_down))
        return area.start;
    return area.start > stack_gap ? area.start - stack_gap : 0;
}

} // namespace

std::size_t AreaTree::lower_bound(std::uint64_t address) const {
    const auto found = std::partition_point(areas_.begin(), areas_.end(), [&](const Area* area) { return area->end <= address; });
    return static_cast<std::size_t>(found - areas_.begin());
}

Area* AreaTree::find(std::uint64_t address) {
    const std::size_t index = lower_bound(address);
    return index < areas_.size() && areas_[index]->contains(address) ? areas_[index] : nullptr;
}

LinuxResult<void> AreaTree::reserve(std::size_t count) {
    if (areas_.size() + count > limit)
        return fail(Errno::ENOMEM);
    const std::size_t wanted = areas_.size() + count;
    if (wanted > areas_.capacity() && !areas_.reserve(std::max(wanted, areas_.capacity() * 2)))
        return fail(Errno::ENOMEM);
    return {};
}

LinuxResult<void> AreaTree::insert(Area area) {
    const std::size_t index = lower_bound(area.start);
    const std::uint64_t bytes = area.length();
    // Growing a neighbour is the common case: programs map one range after the other.
    if (index > 0 && fit(*areas_[index - 1], area)) {
        areas_[index - 1]->end = area.end;
        bytes_ += bytes;
        (void)try_merge(index - 1);
        return {};
    }
    if (index < areas_.size() && fit(area, *areas_[index])) {
        areas_[index]->start = area.start;
        areas_[index]->offset = area.offset;
        bytes_ += bytes;
        return {};
    }
    auto* node = new (std::nothrow) Area(std::move(area));
    if (node == nullptr)
        return fail(Errno::ENOMEM);
    if (!areas_.insert(index, node)) {
        delete node;
        return fail(Errno::ENOMEM);
    }
    bytes_ += bytes;
    return {};
}

LinuxResult<void> AreaTree::split(std::uint64_t address) {
    const std::size_t index = lower_bound(address);
    if (index == areas_.size() || areas_[index]->start >= address)
        return {};
    Area& low = *areas_[index];
    auto* high = new (std::nothrow) Area(low);
    if (high == nullptr)
        return fail(Errno::ENOMEM);
    high->start = address;
    if (high->file)
        high->offset += address - low.start;
    if (!areas_.insert(index + 1, high)) {
        delete high;
        return fail(Errno::ENOMEM);
    }
    low.end = address;
    // Only the lower part can still grow.
    high->flags &= ~area_flag::grows_down;
    return {};
}

LinuxResult<void> AreaTree::remove(std::uint64_t start, std::uint64_t end) {
    TRY(reserve(2));
    TRY(split(start));
    TRY(split(end));
    const std::size_t first = lower_bound(start);
    std::size_t last = first;
    while (last < areas_.size() && areas_[last]->start < end) {
        bytes_ -= areas_[last]->length();
        delete areas_[last++];
    }
    if (first == last)
        return {};
    std::move(areas_.begin() + last, areas_.end(), areas_.begin() + first);
    for (std::size_t i = first; i < last; ++i)
        areas_.pop_back();
    return {};
}

bool AreaTree::try_merge(std::size_t left) {
    if (left + 1 >= areas_.size() || !fit(*areas_[left], *areas_[left + 1]))
        return false;
    areas_[left]->end = areas_[left + 1]->end;
    delete areas_[left + 1];
    areas_.erase(left + 1);
    return true;
}

void AreaTree::merge(std::uint64_t start, std::uint64_t end) {
    std::size_t index = lower_bound(start);
    if (index > 0)
        --index;
    while (index + 1 < areas_.size() && areas_[index]->start <= end)
        if (!try_merge(index))
            ++index;
}

bool AreaTree::covered(std::uint64_t start, std::uint64_t end) const {
    for (std::size_t index = lower_bound(start); start < end; ++index) {
        if (index == areas_.size() || areas_[index]->start > start)
            return false;
        start = areas_[index]->end;
    }
    return true;
}

bool AreaTree::is_free(std::uint64_t start, std::uint64_t end) const {
    const std::size_t index = lower_bound(start);
    return index == areas_.size() || areas_[index]->start >= end;
}

std::uint64_t AreaTree::find_free_below(std::uint64_t bottom, std::uint64_t top, std::uint64_t length, std::uint64_t alignment) const {
    std::uint64_t ceiling = top;
    for (std::size_t index = lower_bound(top);; --index) {
        // The gap below `ceiling` ends at the area before it.
        if (index < areas_.size() && areas_[index]->start < ceiling)
            ceiling = start_with_gap(*areas_[index]);
        const std::uint64_t floor = index > 0 ? areas_[index - 1]->end : bottom;
        if (ceiling >= length && ceiling - length >= bottom) {
            const std::uint64_t start = (ceiling - length) & ~(alignment - 1);
            if (start >= std::max(floor, bottom))
                return start;
        } else {
            return 0;
        }
        if (index == 0)
            return 0;
    }
}

void AreaTree::resize(Area& area, std::uint64_t start, std::uint64_t end) {
    bytes_ -= area.length();
    area.start = start;
    area.end = end;
    bytes_ += area.length();
}

void AreaTree::clear() {
    for (Area* area : areas_)
        delete area;
    areas_.clear();
    bytes_ = 0;
}

} // namespace personality
