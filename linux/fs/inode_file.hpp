// Open file descriptions of inodes: regular files, directories, and O_PATH ones.
#pragma once
#include "linux/fs/dentry.hpp"

namespace personality {

// Every File whose `inode()` is not null is one of these: it knows the place it was opened at. A location of none makes a file without an inode (pipes).
class LocatedFile : public File {
public:
    LocatedFile(Location location, std::uint32_t open_flags);
    ~LocatedFile() override;
    Inode* inode() override { return location_.inode(); }
    FileKind kind() const override { return FileKind::located; }
    const Location& location() const { return location_; }
    LinuxResult<void> stat(KernelStat& stat) override;
    bool readable() const { return (flags & open_flag::access_mode) != open_flag::write_only && !path_only(); }
    bool writable() const { return (flags & open_flag::access_mode) != open_flag::read_only && !path_only(); }
    bool path_only() const { return (flags & open_flag::path) != 0; }

private:
    Location location_;
    bool counted_writer_ = false;
};

// O_PATH: names a place, and no more.
class PathFile final : public LocatedFile {
public:
    using LocatedFile::LocatedFile;
    LinuxResult<std::size_t> read(std::span<std::byte>) override { return fail(Errno::EBADF); }
    LinuxResult<std::size_t> write(std::span<const std::byte>) override { return fail(Errno::EBADF); }
    LinuxResult<std::size_t> read_at(std::uint64_t, std::span<std::byte>) override { return fail(Errno::EBADF); }
    LinuxResult<std::size_t> write_at(std::uint64_t, std::span<const std::byte>) override { return fail(Errno::EBADF); }
    LinuxResult<std::uint64_t> seek(std::int64_t, int) override { return fail(Errno::EBADF); }
    LinuxResult<void> truncate(std::uint64_t) override { return fail(Errno::EBADF); }
    LinuxResult<void> list(DirectorySink&) override { return fail(Errno::EBADF); }
    LinuxResult<BackingMemory> backing(std::uint64_t, std::uint64_t) override { return fail(Errno::EBADF); }
    LinuxResult<std::uint64_t> ioctl(std::uint32_t, std::uint64_t) override { return fail(Errno::EBADF); }
    std::uint32_t poll() override;
};

class RegularFile final : public LocatedFile {
public:
    using LocatedFile::LocatedFile;
    LinuxResult<std::size_t> read(std::span<std::byte> to) override;
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override;
    LinuxResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> to) override;
    LinuxResult<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> from) override;
    LinuxResult<std::uint64_t> seek(std::int64_t offset, int whence) override;
    LinuxResult<void> truncate(std::uint64_t size) override;
    LinuxResult<BackingMemory> backing(std::uint64_t offset, std::uint64_t length) override;
    LinuxResult<std::uint64_t> ioctl(std::uint32_t request, std::uint64_t argument) override;
    std::uint32_t poll() override;
};

class DirectoryFile final : public LocatedFile {
public:
    using LocatedFile::LocatedFile;
    LinuxResult<std::size_t> read(std::span<std::byte>) override { return fail(Errno::EISDIR); }
    LinuxResult<std::size_t> write(std::span<const std::byte>) override { return fail(Errno::EBADF); }
    LinuxResult<std::size_t> read_at(std::uint64_t, std::span<std::byte>) override { return fail(Errno::EISDIR); }
    LinuxResult<std::uint64_t> seek(std::int64_t offset, int whence) override;
    LinuxResult<void> list(DirectorySink& sink) override;
    std::uint32_t poll() override;
};

// An open description of what lies at `location`; flags as for open, permissions already checked. FIFOs and devices may wait or refuse.
LinuxResult<base::Ref<File>> open_location(const Location& location, std::uint32_t flags);

// Where relative paths of `file` start; ENOTDIR where it is not a directory.
LinuxResult<Location> directory_of(File& file);

} // namespace personality
