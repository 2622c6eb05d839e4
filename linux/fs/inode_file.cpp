#include "linux/fs/inode_file.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/file_locks.hpp"
#include "linux/fs/mount.hpp"
#include "linux/ipc/pipe.hpp"

#include <new>

namespace personality {

LocatedFile::LocatedFile(Location location, std::uint32_t open_flags) : location_(std::move(location)) {
    flags = open_flags;
    if (location_ && writable() && location_.inode()->is_regular()) {
        ++location_.inode()->writers;
        counted_writer_ = true;
    }
}

LocatedFile::~LocatedFile() {
    if (Inode* node = location_.inode(); node != nullptr) {
        if (counted_writer_)
            --node->writers;
        if (node->locks != nullptr)
            node->locks->drop_owner(this); // flock and description locks
    }
}

LinuxResult<void> LocatedFile::stat(KernelStat& stat) {
    location_.inode()->stat(stat);
    return {};
}

std::uint32_t PathFile::poll() { return poll_event::invalid; }
std::uint32_t RegularFile::poll() { return poll_event::readable | poll_event::writable; }
std::uint32_t DirectoryFile::poll() { return poll_event::readable | poll_event::writable; }

LinuxResult<std::size_t> RegularFile::read(std::span<std::byte> to) {
    const std::size_t count = TRY(read_at(position, to));
    position += count;
    return count;
}

LinuxResult<std::size_t> RegularFile::write(std::span<const std::byte> from) {
    if ((flags & open_flag::append) != 0)
        position = inode()->size();
    const std::size_t count = TRY(write_at(position, from));
    position += count;
    return count;
}

LinuxResult<std::size_t> RegularFile::read_at(std::uint64_t offset, std::span<std::byte> to) {
    if (!readable())
        return fail(Errno::EBADF);
    return inode()->read_at(offset, to);
}

LinuxResult<std::size_t> RegularFile::write_at(std::uint64_t offset, std::span<const std::byte> from) {
    if (!writable())
        return fail(Errno::EBADF);
    if ((flags & open_flag::append) != 0)
        offset = inode()->size();
    if (offset >= max_file_size)
        return fail(Errno::EFBIG);
    return inode()->write_at(offset, from);
}

LinuxResult<std::uint64_t> RegularFile::seek(std::int64_t offset, int whence) {
    const std::uint64_t size = inode()->size();
    std::uint64_t base = 0;
    switch (whence) {
    case seek_set:
        break;
    case seek_current:
        base = position;
        break;
    case seek_end:
        base = size;
        break;
    case seek_data: // files have no holes that a program can see: all is data up to the end
    case seek_hole:
        if (offset < 0 || static_cast<std::uint64_t>(offset) >= size)
            return fail(Errno::ENXIO);
        return position = whence == seek_data ? static_cast<std::uint64_t>(offset) : size;
    default:
        return fail(Errno::EINVAL);
    }
    std::int64_t target = 0;
    if (__builtin_add_overflow(static_cast<std::int64_t>(base), offset, &target))
        return fail(Errno::EOVERFLOW);
    if (target < 0)
        return fail(Errno::EINVAL);
    return position = static_cast<std::uint64_t>(target);
}

LinuxResult<void> RegularFile::truncate(std::uint64_t size) {
    if (!writable())
        return fail(Errno::EINVAL);
    return inode()->truncate(size);
}

LinuxResult<BackingMemory> RegularFile::backing(std::uint64_t offset, std::uint64_t length) {
    if (!readable())
        return fail(Errno::EACCES);
    return inode()->backing(offset, length, writable());
}

LinuxResult<std::uint64_t> RegularFile::ioctl(std::uint32_t request, std::uint64_t argument) {
    return File::ioctl(request, argument);
}

LinuxResult<std::uint64_t> DirectoryFile::seek(std::int64_t offset, int whence) {
    if (whence == seek_current)
        offset += static_cast<std::int64_t>(position);
    else if (whence != seek_set)
        return fail(Errno::EINVAL);
    if (offset < 0)
        return fail(Errno::EINVAL);
    return position = static_cast<std::uint64_t>(offset);
}

namespace {
// Notes how far a listing came.
class PositionSink final : public DirectorySink {
public:
    PositionSink(DirectorySink& sink, std::uint64_t& position) : sink_(sink), position_(position) {}
    bool entry(std::uint64_t inode, std::uint64_t next_offset, std::uint8_t type, std::span<const char> name) override {
        if (!sink_.entry(inode, next_offset, type, name))
            return false;
        position_ = next_offset;
        return true;
    }

private:
    DirectorySink& sink_;
    std::uint64_t& position_;
};
} // namespace

// Position 0 is before ".", 1 before "..", 2 and up are the file system's.
LinuxResult<void> DirectoryFile::list(DirectorySink& sink) {
    const Location& place = location();
    if (place.dentry->unlinked())
        return fail(Errno::ENOENT);
    PositionSink noting(sink, position);
    const std::uint8_t type = directory_entry_type(mode::directory);
    if (position == 0 && !noting.entry(inode()->number(), 1, type, {".", 1}))
        return {};
    if (position == 1) {
        Location up = place;
        while (up.dentry->is_root() && up.mount->point)
            up = Location(up.mount->point);
        const Inode* parent = up.dentry->is_root() ? up.inode() : up.dentry->parent()->inode();
        if (!noting.entry(parent->number(), 2, type, {"..", 2}))
            return {};
    }
    return inode()->list(*place.dentry, position, noting);
}

LinuxResult<base::Ref<File>> open_location(const Location& location, std::uint32_t flags) {
    Inode& node = *location.inode();
    auto finish = [](File* file) -> LinuxResult<base::Ref<File>> {
        if (file == nullptr)
            return fail(Errno::ENOMEM);
        return base::Ref<File>::adopt(*file);
    };
    if ((flags & open_flag::path) != 0)
        return finish(new (std::nothrow) PathFile(location, flags & (open_flag::path | open_flag::directory | open_flag::no_follow)));
    flags &= ~(open_flag::create | open_flag::exclusive | open_flag::no_terminal | open_flag::truncate | open_flag::close_on_exec);
    if (base::Ref<File> special = TRY(node.open_special(location, flags)))
        return special;
    switch (node.type()) {
    case mode::regular:
        return finish(new (std::nothrow) RegularFile(location, flags));
    case mode::directory:
        return finish(new (std::nothrow) DirectoryFile(location, flags));
    case mode::fifo:
        return open_fifo(location, flags);
    case mode::character:
        if ((location.mount->flags & mount_flag::no_devices) != 0)
            return fail(Errno::EACCES);
        return open_device(location, flags);
    case mode::symlink:
        return fail(Errno::ELOOP);
    default: // sockets cannot be opened, and there are no block devices
        return fail(Errno::ENXIO);
    }
}

LinuxResult<Location> directory_of(File& file) {
    if (file.inode() == nullptr || !file.inode()->is_directory())
        return fail(Errno::ENOTDIR);
    return static_cast<LocatedFile&>(file).location();
}

} // namespace personality
