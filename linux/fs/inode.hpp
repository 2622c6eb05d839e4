// An inode: a file, directory, symbolic link or special file of some file system.
#pragma once
#include "abi/types.hpp"
#include "lib/base/ref.hpp"
#include "linux/core/file.hpp"
#include "linux/fs/constants.hpp"
#include "linux/fs/stat.hpp"

#include <span>
#include <string_view>

namespace personality {

class Dentry;
struct Location;
class FileSystem;

// State that other parts hang on an inode: the pipe of a FIFO, the socket bound to a name.
class InodeAttachment : public base::RefCounted<InodeAttachment> {
public:
    virtual ~InodeAttachment() = default;
};

// What a new directory entry shall be.
struct NewNode {
    std::uint32_t mode; // type and permissions, umask already applied
    std::uint32_t user;
    std::uint32_t group;
    std::uint64_t device = 0;      // of character and block special files
    std::string_view target = {};  // of symbolic links
};

// Times to set; `set` bits: 1 access, 2 modification.
struct TimeChange {
    Timestamp accessed, modified;
    std::uint32_t set = 0;
};

// All members: sandbox lock held. Permission checks are the caller's (linux/fs/path.hpp); an inode only says what its file system cannot do.
class Inode : public base::RefCounted<Inode> {
public:
    Inode(FileSystem& file_system, std::uint64_t number, std::uint32_t mode);
    virtual ~Inode();

    FileSystem& file_system() const { return file_system_; }
    std::uint64_t number() const { return number_; }
    std::uint32_t mode() const { return mode_; }
    std::uint32_t type() const { return mode_ & mode::type_mask; }
    bool is_directory() const { return type() == mode::directory; }
    bool is_regular() const { return type() == mode::regular; }
    bool is_symlink() const { return type() == mode::symlink; }
    std::uint32_t user() const { return user_; }
    std::uint32_t group() const { return group_; }
    std::uint32_t links() const { return links_; }
    virtual std::uint64_t special_device() const { return 0; }
    virtual std::uint64_t size() { return 0; }
    virtual void stat(KernelStat& stat);

    // Directories. `directory` is the entry that this inode was reached by.
    virtual LinuxResult<base::Ref<Dentry>> lookup(Dentry& directory, std::string_view name); // ENOENT; default ENOTDIR
    virtual LinuxResult<base::Ref<Dentry>> make(Dentry& directory, std::string_view name, const NewNode& node);
    virtual LinuxResult<void> link(Dentry& directory, std::string_view name, Inode& target);
    // An inode without a name (O_TMPFILE).
    virtual LinuxResult<base::Ref<Inode>> make_unnamed(const NewNode& node);
    virtual LinuxResult<void> unlink(Dentry& directory, Dentry& child);
    virtual LinuxResult<void> remove_directory(Dentry& directory, Dentry& child);
    // Moves `child` of this directory into `to` (same file system) as `name`; `replaced` is what has that name there, or null. With `exchange` the two change places.
    virtual LinuxResult<void> rename(Dentry& directory, Dentry& child, Dentry& to, std::string_view name, Dentry* replaced, bool exchange);
    // Entries after `position` (0 is the start), without "." and "..". Positions are the file system's own and only grow.
    virtual LinuxResult<void> list(Dentry& directory, std::uint64_t position, DirectorySink& sink);
    virtual bool empty_directory() { return true; }

    // Regular files.
    virtual LinuxResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> to);
    virtual LinuxResult<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> from);
    virtual LinuxResult<void> truncate(std::uint64_t size);
    // Reserves (or with `punch` clears) a range; `keep_size` leaves the size as it is.
    virtual LinuxResult<void> allocate(std::uint64_t offset, std::uint64_t length, bool keep_size, bool punch);
    virtual LinuxResult<BackingMemory> backing(std::uint64_t offset, std::uint64_t length, bool writable);

    // Symbolic links: the target, cut to `to`.
    virtual LinuxResult<std::size_t> read_link(std::span<char> to);
    // Links that lead to a place without a path (/proc/PID/fd/N): true and `target` when this is one.
    virtual LinuxResult<bool> magic_link(Location& target);

    // Overridden by special files: what open gives. Null: the generic file of the inode's type.
    virtual LinuxResult<base::Ref<File>> open_special(const Location& location, std::uint32_t flags);

    // File seals (man 2 fcntl): EINVAL for files that have none.
    virtual LinuxResult<std::uint32_t> seals() { return fail(Errno::EINVAL); }
    virtual LinuxResult<void> add_seals(std::uint32_t) { return fail(Errno::EINVAL); }

    virtual LinuxResult<void> set_mode(std::uint32_t permissions);
    virtual LinuxResult<void> set_owner(std::uint32_t user, std::uint32_t group); // UINT32_MAX keeps
    virtual LinuxResult<void> set_times(const TimeChange& change);
    // Set-user and set-group bits go when an unprivileged program changes the contents.
    void drop_set_id() { mode_ &= ~(mode::set_user | ((mode_ & 010) != 0 ? mode::set_group : 0u)); }

    base::Ref<InodeAttachment> attachment;
    // Programs that run from it (ETXTBSY for writers), and descriptions open for writing (ETXTBSY for exec).
    std::uint32_t executing = 0;
    bool nameless = false; // made by O_TMPFILE with O_EXCL: it never gets a name
    std::uint32_t writers = 0;
    // Record locks: linux/fs/file_locks.hpp.
    class FileLocks* locks = nullptr;

protected:
    void touch_modified();
    void touch_changed();

    std::uint32_t mode_;
    std::uint32_t user_ = 0;
    std::uint32_t group_ = 0;
    std::uint32_t links_ = 1;
    Timestamp accessed_, modified_, changed_, created_;

private:
    FileSystem& file_system_;
    std::uint64_t number_;
};

// Figures of statfs.
struct FileSystemStat {
    std::uint64_t type = 0; // magic number, linux/magic.h
    std::uint64_t blocks = 0, free_blocks = 0, files = 0, free_files = 0;
    std::uint32_t block_size = 4096;
};

// Lives as long as the sandbox (or the test): inodes refer to it without counting.
class FileSystem {
public:
    FileSystem();
    virtual ~FileSystem() = default;
    std::uint64_t device() const { return device_; }
    std::uint64_t next_number() { return ++last_number_; }
    virtual std::string_view type_name() const = 0;
    virtual void statistics(FileSystemStat& stat) = 0;
    virtual base::Ref<Dentry> root() = 0;

private:
    std::uint64_t device_;
    std::uint64_t last_number_ = 0;
};

} // namespace personality
