// Which file system lies where.
#pragma once
#include "lib/base/list.hpp"
#include "linux/fs/dentry.hpp"

namespace personality {

namespace mount_flag {
inline constexpr std::uint32_t read_only = 1, no_set_id = 2, no_devices = 4, no_execute = 8;
}

class Mount final : public base::RefCounted<Mount>, public base::ListNode {
public:
    Mount(FileSystem& file_system, Location point, std::uint32_t flags) : root(file_system.root()), point(std::move(point)), flags(flags), file_system_(file_system) {}

    FileSystem& file_system() const { return file_system_; }
    bool read_only() const { return (flags & mount_flag::read_only) != 0; }

    const base::Ref<Dentry> root;
    Location point; // none: the root of the tree
    std::uint32_t flags;
    std::uint32_t identifier = 0;

private:
    FileSystem& file_system_;
};

// The mounts of a sandbox. Sandbox lock.
class MountTable {
public:
    ~MountTable();
    // The first one becomes the root. Errors: ENOMEM, ENOTDIR.
    LinuxResult<base::Ref<Mount>> mount(FileSystem& file_system, const Location& point, std::uint32_t flags);
    Location root() const;
    // The root of what is mounted on `location`, through all mounts that lie over each other; else `location` itself.
    Location descend(Location location);
    base::List<Mount>& mounts() { return mounts_; }

private:
    base::List<Mount> mounts_;
    std::uint32_t last_identifier_ = 20;
};

// The text of a path from `root` to `location`, in `to`, without a NUL. What cannot be reached from `root` begins with "(unreachable)"; what was unlinked ends
// with " (deleted)" when `mark_deleted`. Errors: ENAMETOOLONG.
LinuxResult<std::string_view> path_text(const Location& root, const Location& location, std::span<char> to, bool mark_deleted = true);

} // namespace personality
