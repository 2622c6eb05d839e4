#include "kernel/thread/user_pointer.hpp"

#include <algorithm>
#include <cstring>

#include "kernel/memory/frames.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/arch/copy_user.hpp"
#include "kernel/arch/cpu.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/arch/relax.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"
#include "lib/base/weaken.hpp"

namespace kernel {

namespace {

// Goes page by page through the tables and the direct map, and brings in what is missing.
template <class Function>
base::Result<void> for_each_page(Space& space, std::uint64_t address, std::size_t length, abi::Protection access, Function&& function) {
    if (!space.contains(address, length)) return std::unexpected(abi::Error::bad_pointer);
    while (length) {
        const std::uint64_t within = address % abi::page_size;
        const std::size_t part = std::min<std::size_t>(length, abi::page_size - within);
        auto frame = space.take_page(address, access);
        if (!frame) return std::unexpected(abi::Error::bad_pointer);
        function(direct<std::byte>(*frame) + within, part);
        frames::release(*frame);
        address += part;
        length -= part;
    }
    return {};
}

// Through the caller's own mapping, which is in place while its call runs: a page that is not there for this access, a range that is not small, or a space where it may be a
// device's, is left to the walk, which resolves or refuses. Interrupts are off, so what takes a mapping away waits for the copy.
bool copy_directly(Thread& caller, std::uint64_t address, std::uint64_t length, void* to, const void* from) {
    if (&caller.task() != arch::this_cpu().current || length > abi::page_size || !personality_half().contains(address, length)) return false;
    if (caller.process().running_space().has_devices()) return false;
    return arch::copy_user(to, from, length) == 0;
}

// For the twin: between a page's look-up and what it was for.
void linger() {
    for (int i = 0; i < 20'000; ++i) arch::relax();
}

[[gnu::noinline]] base::Result<void> walk_from_user(Thread& caller, void* to, std::uint64_t address, std::size_t length) {
    auto space = TRY(caller.process().space());
    std::byte* target = static_cast<std::byte*>(to);
    return for_each_page(*space, address, length, abi::protection::read, [&](const std::byte* page, std::size_t part) {
        std::memcpy(target, page, part);
        target += part;
    });
}

[[gnu::noinline]] base::Result<void> walk_to_user(Thread& caller, std::uint64_t address, const void* from, std::size_t length) {
    auto space = TRY(caller.process().space());
    const std::byte* source = static_cast<const std::byte*>(from);
    return for_each_page(*space, address, length, abi::protection::write, [&](std::byte* page, std::size_t part) {
        if (base::weakened(base::Weakness::seal_grace)) linger();
        std::memcpy(page, source, part);
        source += part;
    });
}

} // namespace

base::Result<void> copy_from_user(Thread& caller, void* to, std::uint64_t address, std::size_t length) {
    if (copy_directly(caller, address, length, to, reinterpret_cast<const void*>(address))) return {};
    return walk_from_user(caller, to, address, length);
}

base::Result<void> copy_to_user(Thread& caller, std::uint64_t address, const void* from, std::size_t length) {
    if (!base::weakened(base::Weakness::seal_grace) && copy_directly(caller, address, length, reinterpret_cast<void*>(address), from)) return {};
    return walk_to_user(caller, address, from, length);
}

base::Result<void> check_writable(Thread& caller, std::uint64_t address, std::size_t length) {
    auto space = TRY(caller.process().space());
    return for_each_page(*space, address, length, abi::protection::write, [](std::byte*, std::size_t) {});
}

} // namespace kernel
