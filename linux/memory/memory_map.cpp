#include "linux/memory/memory_map.hpp"

#include "abi/start.hpp"
#include "lib/native/kernel.hpp"
#include "linux/core/lock.hpp"
#include "linux/sandbox/configuration.hpp"

#include <algorithm>
#include <new>

namespace personality {

namespace {

constexpr std::uint64_t round_up(std::uint64_t value) { return (value + abi::page_size - 1) & ~(abi::page_size - 1); }

// How much of `area`, from `start` on, its file can show now; and where. A length of 0: nothing.
struct Backed {
    abi::Handle memory = abi::no_handle;
    std::uint64_t offset = 0;
    std::uint64_t length = 0; // whole pages
};

LinuxResult<Backed> backing_of(const Area& area, std::uint64_t start, std::uint64_t end) {
    const std::uint64_t offset = area.offset + (start - area.start);
    const BackingMemory backing = TRY(area.file->backing(offset, end - start));
    if (area.shared() && (area.protection & abi::protection::write) != 0 && !backing.writable_shared)
        return fail(Errno::EACCES);
    return Backed{backing.memory, backing.offset, std::min(round_up(backing.length), end - start)};
}

Errno map_error(abi::Error error) {
    switch (error) {
    case abi::Error::no_memory: case abi::Error::no_slots: return Errno::ENOMEM;
    case abi::Error::exists: return Errno::EEXIST;
    case abi::Error::missing_right: case abi::Error::bad_state: return Errno::EACCES;
    default: return Errno::EINVAL;
    }
}

} // namespace

LinuxResult<base::Ref<MemoryMap>> MemoryMap::create() {
    auto* map = new (std::nothrow) MemoryMap;
    if (map == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<MemoryMap>::adopt(*map);
    auto space = native::call::space_create(configuration().quota, configuration().fused ? 1 : 0);
    if (!space)
        return fail(Errno::ENOMEM);
    map->space_ = *space;
    return reference;
}

MemoryMap::~MemoryMap() {
    if (space_ != abi::no_handle)
        (void)native::call::handle_close(space_);
}

LinuxResult<base::Ref<MemoryMap>> MemoryMap::fork() {
    auto* map = new (std::nothrow) MemoryMap;
    if (map == nullptr)
        return fail(Errno::ENOMEM);
    auto copy = base::Ref<MemoryMap>::adopt(*map);
    TRY(copy->areas_.reserve(areas_.size()));
    auto space = native::call::space_fork(space_, configuration().quota);
    if (!space)
        return fail(Errno::ENOMEM);
    copy->space_ = *space;
    copy->layout = layout;
    copy->command_line = command_line;
    copy->mmap_top = mmap_top;
    copy->address_limit = address_limit;
    copy->vdso = vdso;
    for (Area* area : areas_) {
        if (area->has(area_flag::no_fork)) {
            (void)native::call::space_unmap(copy->space_, area->start, area->length());
            continue;
        }
        TRY(copy->areas_.insert(*area));
        if (area->has(area_flag::wipe_fork))
            TRY(copy->discard(area->start, area->length()));
    }
    return copy;
}

// Makes the kernel map [start, end) of `area`, of which nothing may be mapped yet unless `replace`.
LinuxResult<void> MemoryMap::enter(const Area& area, std::uint64_t start, std::uint64_t end, bool replace, bool populate) {
    std::uint32_t flags = area.protection;
    if (replace)
        flags |= abi::map_flag::replace;
    if (area.anonymous()) {
        if (populate && area.protection != 0)
            flags |= abi::map_flag::populate;
        if (auto mapped = native::call::space_map(space_, abi::no_handle, start, 0, end - start, flags); !mapped)
            return fail(map_error(mapped.error()));
        return {};
    }
    const Backed backed = TRY(backing_of(area, start, end));
    if (!area.shared())
        flags |= abi::map_flag::copy_on_write;
    if (backed.length != 0)
        if (auto mapped = native::call::space_map(space_, backed.memory, start, backed.offset, backed.length, flags); !mapped)
            return fail(map_error(mapped.error()));
    // Behind the file's end nothing is mapped: SIGBUS, or the file has grown when it is asked for.
    if (replace && backed.length < end - start)
        (void)native::call::space_unmap(space_, start + backed.length, end - start - backed.length);
    return {};
}

LinuxResult<std::uint64_t> MemoryMap::choose(const MapRequest& request, std::uint64_t length) const {
    if (request.fixed) {
        if (request.address < lowest_address)
            return fail(Errno::EPERM);
        if (length > abi::guest_end - request.address)
            return fail(Errno::ENOMEM);
        if (!request.replace && !areas_.is_free(request.address, request.address + length))
            return fail(Errno::EEXIST);
        return request.address;
    }
    if (request.address >= lowest_address && request.address < abi::guest_end && length <= abi::guest_end - request.address &&
        areas_.is_free(request.address, request.address + length))
        return request.address;
    // Large anonymous ranges begin on 2 MiB, so that the page table holds them in few entries.
    constexpr std::uint64_t large = 2 << 20;
    const std::uint64_t alignment = !request.file && length >= large ? large : abi::page_size;
    std::uint64_t found = areas_.find_free_below(lowest_address, mmap_top, length, alignment);
    if (found == 0)
        found = areas_.find_free_below(lowest_address, abi::guest_end, length);
    if (found == 0)
        return fail(Errno::ENOMEM);
    return found;
}

LinuxResult<std::uint64_t> MemoryMap::map(const MapRequest& request) {
    if (request.length == 0)
        return fail(Errno::EINVAL);
    const std::uint64_t length = round_up(request.length);
    if (length == 0 || length > abi::guest_end)
        return fail(Errno::ENOMEM);
    if (request.file && request.offset + length < request.offset)
        return fail(Errno::EOVERFLOW);
    if (request.fixed && request.address > abi::guest_end)
        return fail(Errno::ENOMEM);
    const std::uint64_t address = TRY(choose(request, length));
    if (areas_.total_bytes() + length > address_limit)
        return fail(Errno::ENOMEM);
    Area area;
    area.start = address;
    area.end = address + length;
    area.protection = request.protection;
    area.flags = request.flags;
    area.file = request.file;
    area.offset = request.offset;
    if (area.anonymous() && area.protection == 0)
        area.flags |= area_flag::reserved;
    TRY(areas_.reserve(4));
    const bool replace = request.replace && !areas_.is_free(area.start, area.end);
    if (!area.has(area_flag::reserved)) {
        TRY(enter(area, area.start, area.end, replace, request.populate));
    } else if (replace) {
        if (!native::call::space_unmap(space_, area.start, length))
            return fail(Errno::ENOMEM);
    }
    if (replace)
        TRY(areas_.remove(area.start, area.end));
    TRY(areas_.insert(std::move(area)));
    return address;
}

LinuxResult<void> MemoryMap::unmap(std::uint64_t address, std::uint64_t length) {
    if (address % abi::page_size != 0 || length == 0 || address > abi::guest_end || length > abi::guest_end - address)
        return fail(Errno::EINVAL);
    const std::uint64_t end = address + round_up(length);
    if (areas_.is_free(address, end))
        return {};
    TRY(areas_.reserve(2));
    if (!native::call::space_unmap(space_, address, end - address))
        return fail(Errno::ENOMEM);
    return areas_.remove(address, end);
}

LinuxResult<void> MemoryMap::protect(std::uint64_t address, std::uint64_t length, abi::Protection protection, bool grows_down) {
    if (address % abi::page_size != 0)
        return fail(Errno::EINVAL);
    if (length == 0)
        return {};
    if (address > abi::guest_end || length > abi::guest_end - address)
        return fail(Errno::ENOMEM);
    const std::uint64_t end = address + round_up(length);
    if (grows_down) {
        Area* area = areas_.find(address);
        if (area == nullptr || !area->has(area_flag::grows_down))
            return fail(Errno::EINVAL);
        address = area->start;
    }
    // Linux changes what comes before a hole and then says ENOMEM.
    TRY(areas_.reserve(2));
    TRY(areas_.split(address));
    TRY(areas_.split(end));
    std::uint64_t reached = address;
    LinuxResult<void> result;
    for (std::size_t i = areas_.lower_bound(address); i < areas_.size() && areas_.at(i).start < end; ++i) {
        Area& area = areas_.at(i);
        if (area.start != reached)
            break;
        if ((protection & abi::protection::write) != 0 && area.has(area_flag::may_not_write)) {
            result = fail(Errno::EACCES);
            break;
        }
        if (area.protection != protection) {
            if (area.has(area_flag::reserved)) {
                if (protection != 0) {
                    Area changed = area;
                    changed.protection = protection;
                    if (auto entered = enter(changed, area.start, area.end, false, false); !entered) {
                        result = entered;
                        break;
                    }
                    area.flags &= ~area_flag::reserved;
                }
            } else if (auto changed = native::call::space_protect(space_, area.start, area.length(), protection); !changed) {
                result = fail(map_error(changed.error()));
                break;
            }
            area.protection = protection;
        }
        reached = area.end;
    }
    areas_.merge(address, end);
    if (result && reached < end)
        return fail(Errno::ENOMEM);
    return result;
}

LinuxResult<void> MemoryMap::discard(std::uint64_t address, std::uint64_t length) {
    const std::uint64_t end = address + round_up(length);
    for (std::size_t i = areas_.lower_bound(address); i < areas_.size() && areas_.at(i).start < end; ++i) {
        Area& area = areas_.at(i);
        const std::uint64_t from = std::max(area.start, address), to = std::min(area.end, end);
        if (area.has(area_flag::locked))
            return fail(Errno::EINVAL);
        if (area.shared() || area.has(area_flag::reserved))
            continue; // the pages belong to the file; there are none
        TRY(enter(area, from, to, true, false));
    }
    return {};
}

LinuxResult<void> MemoryMap::advise_fork(std::uint64_t address, std::uint64_t length, std::uint32_t set, std::uint32_t clear) {
    const std::uint64_t end = address + round_up(length);
    TRY(areas_.reserve(2));
    TRY(areas_.split(address));
    TRY(areas_.split(end));
    for (std::size_t i = areas_.lower_bound(address); i < areas_.size() && areas_.at(i).start < end; ++i)
        areas_.at(i).flags = (areas_.at(i).flags | set) & ~clear;
    areas_.merge(address, end);
    return {};
}

std::uint64_t MemoryMap::set_break(std::uint64_t end, std::uint64_t data_limit) {
    const std::uint64_t old = layout.break_end;
    if (end < layout.break_start || end > abi::guest_end || end - layout.break_start > data_limit)
        return old;
    const std::uint64_t old_page = round_up(old), new_page = round_up(end);
    if (new_page < old_page) {
        if (!unmap(new_page, old_page - new_page))
            return old;
    } else if (new_page > old_page) {
        MapRequest request;
        request.address = old_page;
        request.length = new_page - old_page;
        request.protection = abi::protection::read | abi::protection::write;
        request.flags = area_flag::heap;
        request.fixed = true;
        if (!map(request))
            return old;
    }
    layout.break_end = end;
    return end;
}

bool MemoryMap::resolve_fault(std::uint64_t address, Access access, std::uint64_t stack_limit, SignalInfo& info) {
    info = {};
    info.number = signal_number::segv;
    info.code = signal_code::segv_maperr;
    info.fault.address = address;
    const std::size_t index = areas_.lower_bound(address);
    if (index == areas_.size() || address >= abi::guest_end)
        return false;
    Area& area = areas_.at(index);
    const std::uint64_t page = address & ~(abi::page_size - 1);
    if (area.start > address) {
        // The stack grows by touching below it.
        if (!area.has(area_flag::grows_down) || area.end - page > stack_limit || page < lowest_address)
            return false;
        // A little ahead, to the benefit of the next calls; never into the gap above another mapping.
        const std::uint64_t lowest = area.end - std::min(area.end - lowest_address, round_up(stack_limit));
        std::uint64_t start = std::max(page - std::min<std::uint64_t>(page, 31 * abi::page_size), lowest);
        start = std::min(start, page);
        const std::uint64_t below = index > 0 ? areas_.at(index - 1).end + 16 * abi::page_size : lowest_address;
        if (start < below)
            start = page;
        if (start < below || areas_.total_bytes() + (area.start - start) > address_limit)
            return false;
        if (!enter(area, start, area.start, false, false))
            return false;
        areas_.resize(area, start, area.end);
    }
    const abi::Protection wanted = access == Access::write ? abi::protection::write : access == Access::execute ? abi::protection::execute : abi::protection::read;
    // Write implies read on this processor.
    const abi::Protection allowed = area.protection | ((area.protection & (abi::protection::write | abi::protection::execute)) != 0 ? abi::protection::read : 0u);
    if ((allowed & wanted) == 0) {
        info.code = signal_code::segv_accerr;
        return false;
    }
    if (area.anonymous())
        return true; // the kernel has it, or another thread was faster
    auto backed = backing_of(area, page, std::min(area.end, page + 16 * abi::page_size));
    if (!backed || backed->length == 0) {
        info.number = signal_number::bus;
        info.code = signal_code::bus_adrerr;
        return false;
    }
    std::uint32_t flags = area.protection;
    if (!area.shared())
        flags |= abi::map_flag::copy_on_write;
    // The file grew, or a page of it went and came again. What is mapped already stays.
    auto mapped = native::call::space_map(space_, backed->memory, page, backed->offset, abi::page_size, flags);
    return mapped || mapped.error() == abi::Error::exists;
}

} // namespace personality
