#include "lib/native/clock.hpp"

#include "lib/native/clock_page.hpp"
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

std::uint64_t monotonic_nanoseconds() { return page == nullptr ? 0 : monotonic_of(*page); }
std::uint64_t realtime_nanoseconds() { return page == nullptr ? 0 : realtime_of(*page); }

} // namespace native
