// What files take from the node: Memory objects, clocks, the quota, randomness.
#include "linux/fs/devices.hpp"
#include "linux/fs/kernel_memory.hpp"
#include "linux/fs/quota.hpp"
#include "linux/ipc/clock.hpp"
#include "linux/sandbox/configuration.hpp"

#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"

namespace personality {

namespace {

Errno errno_of(abi::Error error) {
    switch (error) {
    case abi::Error::no_memory: case abi::Error::no_slots: return Errno::ENOMEM;
    case abi::Error::too_large: return Errno::EFBIG;
    case abi::Error::bad_state: case abi::Error::missing_right: return Errno::EPERM;
    default: return Errno::EIO;
    }
}

template <class T> LinuxResult<T> convert(const base::Result<T>& result) {
    if (!result)
        return fail(errno_of(result.error()));
    if constexpr (std::is_void_v<T>)
        return {};
    else
        return *result;
}

} // namespace

namespace kernel_memory {

LinuxResult<abi::Handle> create(std::uint64_t size) { return convert(native::call::memory_create(configuration().quota, size, 0)); }
LinuxResult<void> resize(abi::Handle memory, std::uint64_t size) { return convert(native::call::memory_resize(memory, size)); }
LinuxResult<void> read(abi::Handle memory, std::uint64_t offset, std::span<std::byte> to) {
    return convert(native::call::memory_read(memory, offset, to));
}
LinuxResult<void> write(abi::Handle memory, std::uint64_t offset, std::span<const std::byte> from) {
    return convert(native::call::memory_write(memory, offset, from));
}
LinuxResult<std::uint64_t> size(abi::Handle memory, std::uint64_t& frames) {
    abi::MemoryInfo info{};
    if (auto inspected = native::call::memory_inspect(memory, info); !inspected)
        return fail(errno_of(inspected.error()));
    frames = info.frames;
    return info.size;
}
LinuxResult<void> seal(abi::Handle memory) { return convert(native::call::memory_seal(memory)); }
LinuxResult<abi::Handle> duplicate(abi::Handle memory) { return convert(native::call::handle_duplicate(memory, 0, 0, abi::no_handle)); }
void close(abi::Handle memory) { (void)native::call::handle_close(memory); }

} // namespace kernel_memory

Timestamp file_time_now() {
    const std::uint64_t now = native::realtime_nanoseconds();
    return {static_cast<std::int64_t>(now / native::nanoseconds_per_second), static_cast<std::uint32_t>(now % native::nanoseconds_per_second)};
}

std::uint64_t monotonic_now() { return native::monotonic_nanoseconds(); }
std::int64_t realtime_offset() { return static_cast<std::int64_t>(native::realtime_nanoseconds() - native::monotonic_nanoseconds()); }

QuotaFigures quota_figures() {
    abi::QuotaInfo info{};
    if (!native::call::quota_inspect(configuration().quota, info))
        return {0, 0, 1};
    return {info.limit_pages, info.used_pages, info.cpu_count};
}

} // namespace personality
