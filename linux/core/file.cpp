#include "linux/core/file.hpp"

#include "linux/fs/constants.hpp"
#include "linux/fs/stat.hpp"

namespace personality {

LinuxResult<std::size_t> File::read(std::span<std::byte>) { return fail(Errno::EINVAL); }
LinuxResult<std::size_t> File::write(std::span<const std::byte>) { return fail(Errno::EINVAL); }
LinuxResult<std::size_t> File::read_at(std::uint64_t, std::span<std::byte>) { return fail(Errno::ESPIPE); }
LinuxResult<std::size_t> File::write_at(std::uint64_t, std::span<const std::byte>) { return fail(Errno::ESPIPE); }
LinuxResult<std::uint64_t> File::seek(std::int64_t, int) { return fail(Errno::ESPIPE); }
LinuxResult<void> File::truncate(std::uint64_t) { return fail(Errno::EINVAL); }
LinuxResult<void> File::list(DirectorySink&) { return fail(Errno::ENOTDIR); }
LinuxResult<void> File::stat(KernelStat& stat) {
    stat = {};
    return {};
}
LinuxResult<BackingMemory> File::backing(std::uint64_t, std::uint64_t) { return fail(Errno::ENODEV); }
LinuxResult<std::uint64_t> File::ioctl(std::uint32_t, std::uint64_t) { return fail(Errno::ENOTTY); }
std::uint32_t File::poll() { return poll_event::readable | poll_event::writable; }

} // namespace personality
