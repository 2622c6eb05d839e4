#include "linux/fs/operations.hpp"

#include "lib/base/result.hpp"
#include "linux/fs/inode_file.hpp"

namespace personality {

namespace {

// May `who` take `child` out of `directory`?
LinuxResult<void> may_delete(const FileCredentials& who, const Location& directory, const Inode& child) {
    TRY(check_writable(directory));
    TRY(check_permission(*directory.inode(), who, permission::write | permission::execute));
    const Inode& parent = *directory.inode();
    if ((parent.mode() & mode::sticky) != 0 && who.user != child.user() && who.user != parent.user() && !who.override_owner)
        return fail(Errno::EPERM);
    return {};
}

bool is_ancestor(const Dentry& possible, const Dentry& of) {
    for (const Dentry* here = &of; here != nullptr; here = here->parent().get())
        if (here == &possible)
            return true;
    return false;
}

} // namespace

LinuxResult<void> make_node(const PathContext& context, const Location& start, std::string_view path, NewNode node) {
    PathWalk walk(context, 0);
    TRY(walk.to_parent(start, path));
    const Location parent = walk.parent;
    if (!walk.last_is_name)
        return fail(Errno::EEXIST);
    auto found = walk.lookup_last();
    if (found)
        return fail(Errno::EEXIST);
    if (found.error() != Errno::ENOENT)
        return fail(found.error());
    if (walk.trailing_slash && (node.mode & mode::type_mask) != mode::directory)
        return fail(Errno::ENOENT);
    TRY(check_writable(parent));
    TRY(check_permission(*parent.inode(), context.who, permission::write | permission::execute));
    const std::uint32_t type = node.mode & mode::type_mask;
    if ((type == mode::character || type == mode::block) && !context.who.make_devices)
        return fail(Errno::EPERM);
    node.user = context.who.user;
    node.group = context.who.group;
    TRY(parent.inode()->make(*parent.dentry, walk.last, node));
    return {};
}

LinuxResult<void> unlink_path(const PathContext& context, const Location& start, std::string_view path) {
    PathWalk walk(context, 0);
    TRY(walk.to_parent(start, path));
    if (!walk.last_is_name)
        return fail(Errno::EISDIR);
    const Location parent = walk.parent;
    const Location found = TRY(walk.lookup_last());
    if (walk.trailing_slash)
        return fail(found.inode()->is_directory() ? Errno::EISDIR : Errno::ENOTDIR);
    TRY(may_delete(context.who, parent, *found.inode()));
    if (found.inode()->is_directory())
        return fail(Errno::EISDIR);
    if (found.dentry->mounts != 0 || found.dentry->is_root())
        return fail(Errno::EBUSY);
    return parent.inode()->unlink(*parent.dentry, *found.dentry);
}

LinuxResult<void> remove_directory(const PathContext& context, const Location& start, std::string_view path) {
    PathWalk walk(context, 0);
    TRY(walk.to_parent(start, path));
    if (!walk.last_is_name)
        return fail(walk.last == "." ? Errno::EINVAL : walk.last == ".." ? Errno::ENOTEMPTY : Errno::EBUSY);
    const Location parent = walk.parent;
    const Location found = TRY(walk.lookup_last());
    if (found.dentry->is_root() || found.dentry->mounts != 0)
        return fail(Errno::EBUSY);
    TRY(may_delete(context.who, parent, *found.inode()));
    if (!found.inode()->is_directory())
        return fail(Errno::ENOTDIR);
    return parent.inode()->remove_directory(*parent.dentry, *found.dentry);
}

LinuxResult<void> link_path(const PathContext& context, const Location& target, const Location& start, std::string_view path) {
    PathWalk walk(context, 0);
    TRY(walk.to_parent(start, path));
    const Location parent = walk.parent;
    if (!walk.last_is_name)
        return fail(Errno::EEXIST);
    auto found = walk.lookup_last();
    if (found)
        return fail(Errno::EEXIST);
    if (found.error() != Errno::ENOENT)
        return fail(found.error());
    if (walk.trailing_slash)
        return fail(Errno::ENOENT);
    if (!(target.mount == parent.mount))
        return fail(Errno::EXDEV);
    TRY(check_writable(parent));
    TRY(check_permission(*parent.inode(), context.who, permission::write | permission::execute));
    if (target.inode()->is_directory())
        return fail(Errno::EPERM);
    if (&target.inode()->file_system() != &parent.inode()->file_system())
        return fail(Errno::EXDEV);
    return parent.inode()->link(*parent.dentry, walk.last, *target.inode());
}

LinuxResult<void> rename_path(const PathContext& context, const Location& from_start, std::string_view from, const Location& to_start, std::string_view to,
                              std::uint32_t flags) {
    if ((flags & ~(rename_flag::no_replace | rename_flag::exchange)) != 0 || flags == (rename_flag::no_replace | rename_flag::exchange))
        return fail(Errno::EINVAL);
    PathWalk source(context, 0);
    TRY(source.to_parent(from_start, from));
    PathWalk target(context, 0);
    TRY(target.to_parent(to_start, to));
    if (!(source.parent.mount == target.parent.mount))
        return fail(Errno::EXDEV);
    if (!source.last_is_name)
        return fail(Errno::EBUSY);
    if (!target.last_is_name)
        return fail((flags & rename_flag::no_replace) != 0 ? Errno::EEXIST : Errno::EBUSY);
    const Location old_parent = source.parent;
    const Location new_parent = target.parent;
    const Location moved = TRY(source.lookup_last());
    auto replaced = target.lookup_last();
    if (!replaced && replaced.error() != Errno::ENOENT)
        return fail(replaced.error());
    if (replaced && (flags & rename_flag::no_replace) != 0)
        return fail(Errno::EEXIST);
    if (!replaced && (flags & rename_flag::exchange) != 0)
        return fail(Errno::ENOENT);
    const bool directory = moved.inode()->is_directory();
    if (!directory && source.trailing_slash)
        return fail(Errno::ENOTDIR);
    if (!directory && target.trailing_slash && (flags & rename_flag::exchange) == 0)
        return fail(Errno::ENOTDIR);
    if (directory && is_ancestor(*moved.dentry, *new_parent.dentry))
        return fail(Errno::EINVAL);
    if (replaced && is_ancestor(*replaced->dentry, *old_parent.dentry))
        return fail((flags & rename_flag::exchange) != 0 ? Errno::EINVAL : Errno::ENOTEMPTY);
    if (replaced && replaced->inode() == moved.inode())
        return {}; // two names of one file: nothing to do, both stay
    TRY(may_delete(context.who, old_parent, *moved.inode()));
    if (replaced)
        TRY(may_delete(context.who, new_parent, *replaced->inode()));
    else
        TRY(check_permission(*new_parent.inode(), context.who, permission::write | permission::execute));
    if (moved.dentry->is_root() || moved.dentry->mounts != 0)
        return fail(Errno::EBUSY);
    if (replaced && (replaced->dentry->is_root() || replaced->dentry->mounts != 0))
        return fail(Errno::EBUSY);
    if (replaced && (flags & rename_flag::exchange) == 0) {
        if (directory && !replaced->inode()->is_directory())
            return fail(Errno::ENOTDIR);
        if (!directory && replaced->inode()->is_directory())
            return fail(Errno::EISDIR);
    }
    // A directory that moves gets another "..": that is a change of its own.
    if (directory && !(old_parent.dentry == new_parent.dentry))
        TRY(check_permission(*moved.inode(), context.who, permission::write));
    return old_parent.inode()->rename(*old_parent.dentry, *moved.dentry, *new_parent.dentry, target.last, replaced ? replaced->dentry.get() : nullptr,
                                      (flags & rename_flag::exchange) != 0);
}

LinuxResult<void> truncate_location(const PathContext& context, const Location& location, std::uint64_t size) {
    Inode& node = *location.inode();
    if (node.is_directory())
        return fail(Errno::EISDIR);
    if (!node.is_regular())
        return fail(Errno::EINVAL);
    TRY(check_writable(location));
    TRY(check_permission(node, context.who, permission::write));
    if (node.executing != 0)
        return fail(Errno::ETXTBSY);
    TRY(node.truncate(size));
    if (!context.who.keep_set_id)
        node.drop_set_id();
    return {};
}

LinuxResult<void> change_mode(const FileCredentials& who, const Location& location, std::uint32_t permissions) {
    Inode& node = *location.inode();
    TRY(check_writable(location));
    if (who.user != node.user() && !who.override_owner)
        return fail(Errno::EPERM);
    if ((permissions & mode::set_group) != 0 && !node.is_directory() && !who.in_group(node.group()) && !who.keep_set_id)
        permissions &= ~mode::set_group;
    return node.set_mode(permissions);
}

LinuxResult<void> change_owner(const FileCredentials& who, const Location& location, std::uint32_t user, std::uint32_t group) {
    Inode& node = *location.inode();
    TRY(check_writable(location));
    if (!who.change_owner) {
        if (user != UINT32_MAX && (who.user != node.user() || user != node.user()))
            return fail(Errno::EPERM);
        if (group != UINT32_MAX && (who.user != node.user() || (group != node.group() && !who.in_group(group))))
            return fail(Errno::EPERM);
    }
    TRY(node.set_owner(user, group));
    if (!node.is_directory() && (node.mode() & (mode::set_user | mode::set_group)) != 0 && !node.is_symlink())
        node.drop_set_id();
    return {};
}

LinuxResult<void> change_times(const FileCredentials& who, const Location& location, const TimeChange& change, bool now) {
    Inode& node = *location.inode();
    if (change.set == 0)
        return {};
    TRY(check_writable(location));
    if (who.user != node.user() && !who.override_owner) {
        if (!now)
            return fail(Errno::EPERM);
        TRY(check_permission(node, who, permission::write));
    }
    return node.set_times(change);
}

} // namespace personality
