#include "linux/fs/devices.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/anonymous.hpp"
#include "linux/fs/inode_file.hpp"

#include <cstring>
#include <new>

namespace personality {

namespace {

std::uint64_t last_anonymous_inode = 1000;
TerminalFinder terminal_finder = nullptr;

class MemoryDevice final : public LocatedFile {
public:
    MemoryDevice(const Location& location, std::uint32_t flags, std::uint64_t device) : LocatedFile(location, flags), device_(device) {}

    LinuxResult<std::size_t> read(std::span<std::byte> to) override {
        if (!readable())
            return fail(Errno::EBADF);
        if (device_ == device_number::null)
            return std::size_t{0};
        if (device_ == device_number::random || device_ == device_number::urandom)
            random_bytes(to);
        else
            std::memset(to.data(), 0, to.size());
        return to.size();
    }
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override {
        if (!writable())
            return fail(Errno::EBADF);
        if (device_ == device_number::full)
            return fail(Errno::ENOSPC);
        return from.size();
    }
    LinuxResult<std::size_t> read_at(std::uint64_t, std::span<std::byte> to) override { return read(to); }
    LinuxResult<std::size_t> write_at(std::uint64_t, std::span<const std::byte> from) override { return write(from); }
    LinuxResult<std::uint64_t> seek(std::int64_t, int) override { return std::uint64_t{0}; }
    std::uint32_t poll() override { return poll_event::readable | poll_event::writable; }
    bool endless() const override { return device_ != device_number::null; }

private:
    std::uint64_t device_;
};

} // namespace

std::uint64_t next_anonymous_inode() { return ++last_anonymous_inode; }

void anonymous_stat(KernelStat& stat, std::uint64_t inode, std::uint32_t mode) {
    stat.device = make_device(0, 12);
    stat.inode = inode;
    stat.mode = mode;
    stat.links = 1;
    stat.accessed = stat.modified = stat.changed = stat.created = file_time_now();
}

void set_terminal_finder(TerminalFinder finder) { terminal_finder = finder; }

LinuxResult<base::Ref<File>> open_device(const Location& location, std::uint32_t flags) {
    const std::uint64_t device = location.inode()->special_device();
    switch (device) {
    case device_number::null:
    case device_number::zero:
    case device_number::full:
    case device_number::random:
    case device_number::urandom: {
        auto* file = new (std::nothrow) MemoryDevice(location, flags, device);
        if (file == nullptr)
            return fail(Errno::ENOMEM);
        return base::Ref<File>::adopt(*file);
    }
    case device_number::tty:
    case device_number::console: {
        base::Ref<File> terminal = terminal_finder != nullptr ? terminal_finder() : base::Ref<File>();
        if (!terminal)
            return fail(Errno::ENXIO);
        terminal->flags = flags;
        return terminal;
    }
    default:
        return fail(Errno::ENXIO);
    }
}

} // namespace personality
