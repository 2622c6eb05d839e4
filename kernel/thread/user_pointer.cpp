#include "kernel/thread/user_pointer.hpp"

#include <algorithm>
#include <cstring>

#include "kernel/memory/frames.hpp"
#include "kernel/core/halves.hpp"
#include "kernel/arch/relax.hpp"
#include "lib/base/weaken.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/thread/thread.hpp"

namespace kernel {

namespace {

// Goes page by page through the tables and the direct map: the kernel never follows an address of user mode, so it needs no fix-up and SMAP stays closed.
template <class Function>
base::Result<void> for_each_page(Space& space, std::uint64_t address, std::size_t length, abi::Protection access, Function&& function) {
    if (!space.contains(address, length)) return std::unexpected(abi::Error::bad_pointer);
    while (length) {
        const std::uint64_t within = address % abi::page_size;
        const std::size_t part = std::min<std::size_t>(length, abi::page_size - within);
        auto frame = space.take_page(address, access);
        if (!frame) return std::unexpected(abi::Error::bad_pointer);
        // In the twin only: a wait that is long enough to be met, and that serves shoot-downs as an interruptible one would.
        for (unsigned i = 0; base::weakened(base::Weakness::seal_grace) && part >= 1024 && i < 100'000; ++i) arch::relax();
        function(direct<std::byte>(*frame) + within, part);
        frames::release(*frame);
        address += part;
        length -= part;
    }
    return {};
}

} // namespace

base::Result<void> copy_from_user(Thread& caller, void* to, std::uint64_t address, std::size_t length) {
    auto space = TRY(caller.process().space());
    std::byte* target = static_cast<std::byte*>(to);
    return for_each_page(*space, address, length, abi::protection::read, [&](const std::byte* page, std::size_t part) {
        std::memcpy(target, page, part);
        target += part;
    });
}

base::Result<void> copy_to_user(Thread& caller, std::uint64_t address, const void* from, std::size_t length) {
    auto space = TRY(caller.process().space());
    const std::byte* source = static_cast<const std::byte*>(from);
    return for_each_page(*space, address, length, abi::protection::write, [&](std::byte* page, std::size_t part) {
        std::memcpy(page, source, part);
        source += part;
    });
}

base::Result<void> check_writable(Thread& caller, std::uint64_t address, std::size_t length) {
    auto space = TRY(caller.process().space());
    return for_each_page(*space, address, length, abi::protection::write, [](std::byte*, std::size_t) {});
}

} // namespace kernel
