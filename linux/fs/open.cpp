// open and its relatives.
#include "lib/base/result.hpp"
#include "linux/fs/inode_file.hpp"
#include "linux/fs/operations.hpp"

#include <new>

namespace personality {

namespace {

std::uint32_t wanted_permissions(std::uint32_t flags) {
    std::uint32_t wanted = 0;
    switch (flags & open_flag::access_mode) {
    case open_flag::read_only:
        wanted = permission::read;
        break;
    case open_flag::write_only:
        wanted = permission::write;
        break;
    default:
        wanted = permission::read | permission::write;
    }
    return (flags & open_flag::truncate) != 0 ? wanted | permission::write : wanted;
}

// Opens what was found (not just created).
LinuxResult<base::Ref<File>> open_existing(const PathContext& context, const Location& location, std::uint32_t flags) {
    Inode& node = *location.inode();
    if ((flags & open_flag::path) != 0) {
        if ((flags & open_flag::directory) != 0 && !node.is_directory())
            return fail(Errno::ENOTDIR);
        return open_location(location, flags);
    }
    if (node.is_symlink())
        return fail(Errno::ELOOP);
    if ((flags & open_flag::directory) != 0 && !node.is_directory())
        return fail(Errno::ENOTDIR);
    const std::uint32_t wanted = wanted_permissions(flags);
    if (node.is_directory() && (wanted & permission::write) != 0)
        return fail(Errno::EISDIR);
    const bool changes_bytes = node.is_regular() || node.is_directory(); // devices and pipes can be written on a read-only mount
    if ((wanted & permission::write) != 0 && changes_bytes)
        TRY(check_writable(location));
    TRY(check_permission(node, context.who, wanted));
    if (node.is_regular() && (wanted & permission::write) != 0 && node.executing != 0)
        return fail(Errno::ETXTBSY);
    if ((flags & open_flag::no_access_time) != 0 && context.who.user != node.user() && !context.who.override_owner)
        return fail(Errno::EPERM);
    base::Ref<File> file = TRY(open_location(location, flags));
    if ((flags & open_flag::truncate) != 0 && node.is_regular()) {
        TRY(node.truncate(0));
        if (!context.who.keep_set_id)
            node.drop_set_id();
    }
    return file;
}

LinuxResult<base::Ref<File>> open_temporary(const PathContext& context, const Location& start, std::string_view path, const OpenRequest& request,
                                            std::uint32_t walk) {
    const Location directory = TRY(walk_path(context, start, path, walk | walk_flag::follow));
    if (!directory.inode()->is_directory())
        return fail(Errno::ENOTDIR);
    TRY(check_writable(directory));
    TRY(check_permission(*directory.inode(), context.who, permission::write | permission::execute));
    const NewNode node{mode::regular | (request.permissions & mode::permissions), context.who.user, context.who.group};
    base::Ref<Inode> made = TRY(directory.inode()->make_unnamed(node));
    made->nameless = (request.flags & open_flag::exclusive) != 0;
    auto* entry = new (std::nothrow) Dentry(directory.dentry, TRY(Name::make("#unnamed")), std::move(made));
    if (entry == nullptr)
        return fail(Errno::ENOMEM);
    auto reference = base::Ref<Dentry>::adopt(*entry);
    reference->set_unlinked(true);
    return open_location({directory.mount, std::move(reference)}, request.flags & ~open_flag::temporary);
}

LinuxResult<base::Ref<File>> open_or_create(const PathContext& context, const Location& start, std::string_view path, const OpenRequest& request,
                                            std::uint32_t walk_flags) {
    PathWalk walk(context, walk_flags);
    TRY(walk.to_parent(start, path));
    for (;;) {
        if (!walk.last_is_name) {
            const Location found = TRY(walk.lookup_last());
            if ((request.flags & open_flag::exclusive) != 0)
                return fail(Errno::EEXIST);
            if (found.inode()->is_directory())
                return fail(Errno::EISDIR);
            return open_existing(context, found, request.flags);
        }
        if (walk.trailing_slash)
            return fail(Errno::EISDIR);
        const Location parent = walk.parent;
        auto found = walk.lookup_last();
        if (found) {
            if ((request.flags & open_flag::exclusive) != 0)
                return fail(Errno::EEXIST);
            if (found->inode()->is_symlink()) {
                if ((request.flags & open_flag::no_follow) != 0)
                    return fail(Errno::ELOOP);
                TRY(walk.follow_last(*found));
                continue;
            }
            if (found->inode()->is_directory())
                return fail(Errno::EISDIR);
            return open_existing(context, *found, request.flags);
        }
        if (found.error() != Errno::ENOENT)
            return fail(found.error());
        TRY(check_writable(parent));
        TRY(check_permission(*parent.inode(), context.who, permission::write | permission::execute));
        const NewNode node{mode::regular | (request.permissions & mode::permissions), context.who.user, context.who.group};
        Location created{parent.mount, TRY(parent.inode()->make(*parent.dentry, walk.last, node))};
        return open_location(created, request.flags);
    }
}

} // namespace

LinuxResult<base::Ref<File>> open_path(const PathContext& context, const Location& start, std::string_view path, const OpenRequest& request) {
    std::uint32_t walk = request.resolve;
    if ((request.flags & open_flag::path) == 0) {
        if ((request.flags & open_flag::temporary) == open_flag::temporary) {
            if ((request.flags & open_flag::access_mode) == open_flag::read_only)
                return fail(Errno::EINVAL);
            return open_temporary(context, start, path, request, walk);
        }
        if ((request.flags & open_flag::create) != 0) {
            if ((request.flags & open_flag::directory) != 0)
                return fail(Errno::EINVAL);
            return open_or_create(context, start, path, request, walk);
        }
    }
    if ((request.flags & open_flag::no_follow) == 0)
        walk |= walk_flag::follow;
    return open_existing(context, TRY(walk_path(context, start, path, walk)), request.flags);
}

} // namespace personality
