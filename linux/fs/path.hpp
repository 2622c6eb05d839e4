// From a path to what it names: Linux' rules of path resolution (man 7 path_resolution), inside a root directory that `..` does not leave.
#pragma once
#include "linux/fs/mount.hpp"

#include <memory>

namespace personality {

// Who asks, as far as files care.
struct FileCredentials {
    std::uint32_t user = 0, group = 0; // the file system ids
    std::span<const std::uint32_t> groups = {};
    bool override_permissions = true; // CAP_DAC_OVERRIDE
    bool override_search = true;      // CAP_DAC_READ_SEARCH
    bool override_owner = true;       // CAP_FOWNER
    bool change_owner = true;         // CAP_CHOWN
    bool keep_set_id = true;          // CAP_FSETID
    bool make_devices = true;         // CAP_MKNOD

    bool in_group(std::uint32_t wanted) const;
};

namespace permission {
inline constexpr std::uint32_t execute = 1, write = 2, read = 4;
}
// EACCES, or EROFS where the mount is read-only and `wanted` has write.
LinuxResult<void> check_permission(const Inode& inode, const FileCredentials& who, std::uint32_t wanted);
LinuxResult<void> check_writable(const Location& location); // EROFS

// What a walk starts from.
struct PathContext {
    MountTable& mounts;
    Location root;
    Location current;
    FileCredentials who;
};

namespace walk_flag {
inline constexpr std::uint32_t follow = 1;      // a symbolic link in the last place
inline constexpr std::uint32_t no_symlinks = 2; // openat2: any symbolic link is ELOOP
inline constexpr std::uint32_t no_magic_links = 4;
inline constexpr std::uint32_t no_crossing = 8; // of mounts: EXDEV
inline constexpr std::uint32_t beneath = 16;    // leaving the start is EXDEV
inline constexpr std::uint32_t in_root = 32;    // the start is the root
} // namespace walk_flag

// One walk. Sandbox lock held from begin to the last use; the path must stay where it is.
class PathWalk {
public:
    PathWalk(const PathContext& context, std::uint32_t flags) : context_(context), root_(context.root), flags_(flags) {}

    // Walks the whole path.
    LinuxResult<Location> finish(const Location& start, std::string_view path);

    // Walks up to the last component, which is left in `last`. `last_is_name` is false for "/", "." and "..".
    LinuxResult<void> to_parent(const Location& start, std::string_view path);
    Location parent;
    std::string_view last; // valid until the next call
    bool last_is_name = false;
    bool trailing_slash = false;
    // Looks `last` up in `parent`, through a mount, without following. ENOENT where it is missing.
    LinuxResult<Location> lookup_last();
    // `link` was found in the last place: goes on through it, up to the last component of its target.
    LinuxResult<void> follow_last(const Location& link);

private:
    LinuxResult<void> begin(const Location& start, std::string_view path);
    LinuxResult<void> walk(bool stop_before_last);
    LinuxResult<void> step_up();
    LinuxResult<Location> child(const Location& directory, std::string_view name);
    LinuxResult<void> follow(const Location& link);

    const PathContext& context_;
    Location root_;
    Location here_;
    std::uint32_t flags_;
    unsigned links_ = 0;
    std::string_view rest_;
    std::unique_ptr<char[]> buffer_; // holds `rest_` once a symbolic link was followed
};

// The whole walk in one call.
LinuxResult<Location> walk_path(const PathContext& context, const Location& start, std::string_view path, std::uint32_t flags);

} // namespace personality
