#include "lib/native/memory.hpp"

#include <algorithm>
#include <bit>

#include "lib/native/mutex.hpp"
#include "lib/native/start.hpp"

namespace native {

namespace {

// One bit a unit; the words are touched as far as addresses were ever used, so the table costs little memory.
constexpr std::uint64_t range_bytes = std::min<std::uint64_t>(abi::stack_base - abi::heap_base, std::uint64_t{256} << 30);
constexpr std::size_t units = range_bytes / range_unit;
constexpr std::size_t large_units = (2u << 20) / range_unit;
static_assert(abi::heap_base % (2u << 20) == 0);

constinit Mutex ranges_lock;
constinit std::uint64_t used[units / 64] = {};
constinit std::size_t first_free = 0; // no unit below is free

bool is_used(std::size_t unit) { return (used[unit / 64] >> (unit % 64)) & 1; }

void mark(std::size_t first, std::size_t count, bool value) {
    for (std::size_t unit = first; unit < first + count; ++unit) {
        const std::uint64_t bit = std::uint64_t{1} << (unit % 64);
        if (value)
            used[unit / 64] |= bit;
        else
            used[unit / 64] &= ~bit;
    }
}

// The first run of `count` free units at a multiple of `step`, or `units`.
std::size_t find(std::size_t count, std::size_t step) {
    std::size_t start = (first_free + step - 1) / step * step;
    while (start + count <= units) {
        std::size_t taken = start;
        while (taken < start + count && !is_used(taken))
            ++taken;
        if (taken == start + count)
            return start;
        // Past the used unit, whole words at a time where they are full.
        while (taken < units && is_used(taken))
            taken += taken % 64 == 0 && used[taken / 64] == UINT64_MAX ? 64 : 1;
        start = (taken + step - 1) / step * step;
    }
    return units;
}

} // namespace

base::Result<std::uint64_t> reserve_range(std::uint64_t length) {
    if (length == 0 || length > range_bytes)
        return std::unexpected(abi::Error::bad_argument);
    const std::size_t count = (length + range_unit - 1) / range_unit;
    LockGuard guard(ranges_lock);
    const std::size_t start = find(count, count >= large_units ? large_units : 1);
    if (start == units)
        return std::unexpected(abi::Error::no_memory);
    mark(start, count, true);
    if (start == first_free)
        first_free = start + count;
    return abi::heap_base + start * range_unit;
}

void release_range(std::uint64_t address, std::uint64_t length) {
    const std::size_t start = (address - abi::heap_base) / range_unit;
    const std::size_t count = (length + range_unit - 1) / range_unit;
    LockGuard guard(ranges_lock);
    mark(start, count, false);
    first_free = std::min(first_free, start);
}

base::Result<Mapping> Mapping::anonymous(std::uint64_t length) {
    return of(abi::no_handle, 0, length, abi::protection::read | abi::protection::write);
}

base::Result<Mapping> Mapping::of(abi::Handle memory, std::uint64_t offset, std::uint64_t length, abi::Protection protection) {
    const std::uint64_t rounded = page_round(length);
    const std::uint64_t address = TRY(reserve_range(rounded));
    if (auto mapped = call::space_map(self().space, memory, address, offset, rounded, protection); !mapped) {
        release_range(address, rounded);
        return std::unexpected(mapped.error());
    }
    return Mapping(address, rounded);
}

base::Result<Mapping> Mapping::device(abi::Handle device, std::uint64_t length, abi::Protection protection) {
    const std::uint64_t rounded = page_round(length);
    const std::uint64_t address = TRY(reserve_range(rounded));
    if (auto mapped = call::device_map(device, address, protection); !mapped) {
        release_range(address, rounded);
        return std::unexpected(mapped.error());
    }
    return Mapping(address, rounded);
}

void Mapping::reset() {
    if (address_ == 0)
        return;
    // Addresses whose unmapping failed are not given out again.
    if (call::space_unmap(self().space, address_, length_))
        release_range(address_, length_);
    address_ = length_ = 0;
}

base::Result<MappedMemory> MappedMemory::create(abi::Handle quota, std::uint64_t size, std::uint32_t flags) {
    MappedMemory result;
    result.memory = TRY(own(call::memory_create(quota, size, flags)));
    result.mapping = TRY(Mapping::of(result.memory.get(), 0, size, abi::protection::read | abi::protection::write));
    return result;
}

base::Result<std::uint64_t> memory_size(abi::Handle memory) {
    abi::MemoryInfo info{};
    TRY(call::memory_inspect(memory, info));
    return info.size;
}

} // namespace native
