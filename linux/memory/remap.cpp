// mremap (man 2 mremap).
#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/memory/memory_map.hpp"

#include <algorithm>

namespace personality {

LinuxResult<std::uint64_t> MemoryMap::remap(const RemapRequest& request) {
    const auto round = [](std::uint64_t value) { return (value + abi::page_size - 1) & ~(abi::page_size - 1); };
    if (request.address % abi::page_size != 0 || request.new_length == 0 || request.new_length > abi::guest_end || request.old_length > abi::guest_end ||
        request.address > abi::guest_end)
        return fail(Errno::EINVAL);
    const std::uint64_t old_length = round(request.old_length), new_length = round(request.new_length), start = request.address;
    Area* found = areas_.find(start);
    if (found == nullptr || old_length > found->end - start)
        return fail(Errno::EFAULT);
    if (old_length == 0 && !found->shared())
        return fail(Errno::EINVAL);
    if (request.keep_old && (!found->anonymous() || old_length != new_length || !request.may_move))
        return fail(Errno::EINVAL);
    // A copy: splitting and merging below move the areas about.
    Area area = *found;
    if (area.file)
        area.offset += start - area.start;
    area.start = start;
    area.end = start + old_length;
    if (request.fixed) {
        const std::uint64_t to = request.new_address;
        if (!request.may_move || to % abi::page_size != 0 || to < lowest_address || to > abi::guest_end || new_length > abi::guest_end - to ||
            (to < start + old_length && start < to + new_length))
            return fail(Errno::EINVAL);
    } else {
        if (new_length <= old_length) {
            if (new_length < old_length)
                TRY(unmap(start + new_length, old_length - new_length));
            return start;
        }
        if (!request.keep_old && start + old_length == found->end && new_length <= abi::guest_end - start && areas_.is_free(start + old_length, start + new_length)) {
            if (areas_.total_bytes() + new_length - old_length > address_limit)
                return fail(Errno::ENOMEM);
            Area more = area;
            more.start = area.end;
            more.end = start + new_length;
            if (more.file)
                more.offset += old_length;
            TRY(areas_.reserve(1));
            if (!more.has(area_flag::reserved))
                TRY(enter(more, more.start, more.end, false, false));
            TRY(areas_.insert(std::move(more)));
            return start;
        }
        if (!request.may_move)
            return fail(Errno::ENOMEM);
    }

    MapRequest target;
    target.length = new_length;
    target.address = request.fixed ? request.new_address : 0;
    target.fixed = request.fixed;
    target.replace = request.fixed;
    target.file = area.file;
    TRY(areas_.reserve(6));
    const std::uint64_t to = TRY(choose(target, new_length));
    const std::uint64_t moved = std::min(old_length, new_length);
    if (areas_.total_bytes() + new_length - (request.keep_old ? 0 : moved) > address_limit)
        return fail(Errno::ENOMEM);
    if (request.fixed)
        TRY(unmap(to, new_length));
    if (moved != 0 && !area.has(area_flag::reserved))
        if (!native::call::space_move(space_, start, to, moved))
            return fail(Errno::ENOMEM);
    Area placed = area;
    placed.start = to;
    placed.end = to + new_length;
    if (new_length > moved && !area.has(area_flag::reserved)) {
        if (auto entered = enter(placed, to + moved, to + new_length, false, false); !entered) {
            // Back to where it was: nothing has changed then.
            (void)native::call::space_move(space_, to, start, moved);
            return fail(entered.error());
        }
    }
    TRY(areas_.insert(std::move(placed)));
    if (request.keep_old) {
        if (!area.has(area_flag::reserved))
            TRY(enter(area, area.start, area.end, false, false));
    } else if (old_length != 0) {
        // The kernel has moved those pages; what new_length left behind is still there.
        TRY(unmap(start, old_length));
    }
    return to;
}

} // namespace personality
