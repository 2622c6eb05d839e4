#include "lib/native/clock.hpp"

#include "lib/native/kernel.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"

namespace native {

namespace {
constinit const abi::ClockPage* page = nullptr;
}

void clock_start() {
    const abi::Handle clock = granted("clock");
    if (clock == abi::no_handle)
        return;
    auto address = reserve_range(abi::page_size);
    if (address && call::space_map(self().space, clock, *address, 0, abi::page_size, abi::protection::read))
        page = reinterpret_cast<const abi::ClockPage*>(*address);
}

const abi::ClockPage* clock_page() { return page; }

std::uint64_t monotonic_nanoseconds() {
    if (page == nullptr)
        return 0;
    const std::uint64_t ticks = __builtin_ia32_rdtsc() - page->tsc_base;
    const auto product = static_cast<unsigned __int128>(ticks) * page->multiplier;
    return static_cast<std::uint64_t>(product >> page->shift) + page->base_nanoseconds;
}

std::uint64_t realtime_nanoseconds() {
    const std::uint64_t monotonic = monotonic_nanoseconds();
    if (page == nullptr)
        return monotonic;
    for (;;) {
        const std::uint64_t before = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
        const std::uint64_t offset = __atomic_load_n(&page->realtime_offset, __ATOMIC_ACQUIRE);
        if ((before & 1) == 0 && before == __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE))
            return monotonic + offset;
        __builtin_ia32_pause();
    }
}

} // namespace native
