// What the calls on names do: each checks permissions as Linux does, in Linux' order of errors, and changes nothing when it fails.
// `start` is where relative paths begin. Sandbox lock held.
#pragma once
#include "linux/fs/path.hpp"

namespace personality {

struct OpenRequest {
    std::uint32_t flags = 0;
    std::uint32_t permissions = 0; // of a created file, umask already applied
    std::uint32_t resolve = 0;     // walk_flag bits of openat2
};
LinuxResult<base::Ref<File>> open_path(const PathContext& context, const Location& start, std::string_view path, const OpenRequest& request);

// mkdir and mknod and symlink: `node.user` and `node.group` are filled in here.
LinuxResult<void> make_node(const PathContext& context, const Location& start, std::string_view path, NewNode node);
LinuxResult<void> unlink_path(const PathContext& context, const Location& start, std::string_view path);
LinuxResult<void> remove_directory(const PathContext& context, const Location& start, std::string_view path);
LinuxResult<void> link_path(const PathContext& context, const Location& target, const Location& start, std::string_view path);

namespace rename_flag {
inline constexpr std::uint32_t no_replace = 1, exchange = 2;
}
LinuxResult<void> rename_path(const PathContext& context, const Location& from_start, std::string_view from, const Location& to_start, std::string_view to,
                              std::uint32_t flags);

// On a place that was walked to already.
LinuxResult<void> truncate_location(const PathContext& context, const Location& location, std::uint64_t size);
LinuxResult<void> change_mode(const FileCredentials& who, const Location& location, std::uint32_t permissions);
LinuxResult<void> change_owner(const FileCredentials& who, const Location& location, std::uint32_t user, std::uint32_t group);
// `now` : both times are the current one, for which write permission is enough.
LinuxResult<void> change_times(const FileCredentials& who, const Location& location, const TimeChange& change, bool now);

} // namespace personality
