#include "linux/fs/path.hpp"

#include "lib/base/result.hpp"

#include <cstring>
#include <new>

namespace personality {

bool FileCredentials::in_group(std::uint32_t wanted) const {
    if (group == wanted)
        return true;
    for (const std::uint32_t member : groups)
        if (member == wanted)
            return true;
    return false;
}

LinuxResult<void> check_permission(const Inode& inode, const FileCredentials& who, std::uint32_t wanted) {
    std::uint32_t granted = inode.mode();
    if (who.user == inode.user())
        granted >>= 6;
    else if (who.in_group(inode.group()))
        granted >>= 3;
    if ((wanted & ~granted & 7) == 0)
        return {};
    if (inode.is_directory()) {
        if (who.override_permissions || (who.override_search && (wanted & permission::write) == 0))
            return {};
    } else {
        // Execution needs at least one x bit, for root too.
        if (who.override_permissions && ((wanted & permission::execute) == 0 || (inode.mode() & 0111) != 0))
            return {};
        if (who.override_search && wanted == permission::read)
            return {};
    }
    return fail(Errno::EACCES);
}

LinuxResult<void> check_writable(const Location& location) {
    if (location.mount && location.mount->read_only())
        return fail(Errno::EROFS);
    return {};
}

LinuxResult<void> PathWalk::begin(const Location& start, std::string_view path) {
    if (path.empty())
        return fail(Errno::ENOENT);
    if (path.size() >= path_max)
        return fail(Errno::ENAMETOOLONG);
    here_ = start;
    if ((flags_ & (walk_flag::in_root | walk_flag::beneath)) != 0)
        root_ = start;
    if (path.front() == '/') {
        if ((flags_ & walk_flag::beneath) != 0)
            return fail(Errno::EXDEV);
        here_ = root_;
    }
    rest_ = path;
    return {};
}

LinuxResult<void> PathWalk::step_up() {
    if (here_ == root_) {
        if ((flags_ & walk_flag::beneath) != 0)
            return fail(Errno::EXDEV);
        return {};
    }
    while (here_.dentry->is_root()) {
        if (!here_.mount->point)
            return {};
        if ((flags_ & walk_flag::no_crossing) != 0)
            return fail(Errno::EXDEV);
        here_ = Location(here_.mount->point);
        if (here_ == root_)
            return {};
    }
    here_.dentry = base::Ref<Dentry>(here_.dentry->parent());
    here_ = context_.mounts.descend(std::move(here_));
    return {};
}

LinuxResult<Location> PathWalk::child(const Location& directory, std::string_view name) {
    if (!directory.inode()->is_directory())
        return fail(Errno::ENOTDIR);
    TRY(check_permission(*directory.inode(), context_.who, permission::execute));
    if (name.size() > name_max)
        return fail(Errno::ENAMETOOLONG);
    Location found{directory.mount, TRY(directory.inode()->lookup(*directory.dentry, name))};
    if (found.dentry->mounts != 0) {
        if ((flags_ & walk_flag::no_crossing) != 0)
            return fail(Errno::EXDEV);
        found = context_.mounts.descend(std::move(found));
    }
    return found;
}

// Puts the target of `link` before what is left of the path. `here_` is the directory that holds the link.
LinuxResult<void> PathWalk::follow(const Location& link) {
    if ((flags_ & walk_flag::no_symlinks) != 0 || ++links_ > symlink_limit)
        return fail(Errno::ELOOP);
    Location magic;
    if (TRY(link.inode()->magic_link(magic))) {
        if ((flags_ & (walk_flag::no_magic_links | walk_flag::beneath | walk_flag::in_root)) != 0)
            return fail((flags_ & walk_flag::no_magic_links) != 0 ? Errno::ELOOP : Errno::EXDEV);
        here_ = std::move(magic);
        return {};
    }
    // A target is at most a path long, and so is what is left; the sum is held to the same limit twice over.
    std::unique_ptr<char[]> text(new (std::nothrow) char[2 * path_max]);
    if (!text)
        return fail(Errno::ENOMEM);
    std::size_t length = TRY(link.inode()->read_link({text.get(), path_max}));
    if (length == 0)
        return fail(Errno::ENOENT);
    if (length >= path_max || rest_.size() + 1 > path_max)
        return fail(Errno::ENAMETOOLONG);
    if (text[0] == '/') {
        if ((flags_ & walk_flag::beneath) != 0)
            return fail(Errno::EXDEV);
        here_ = root_;
    }
    if (!rest_.empty()) {
        text[length++] = '/';
        std::memcpy(text.get() + length, rest_.data(), rest_.size());
        length += rest_.size();
    }
    buffer_ = std::move(text);
    rest_ = {buffer_.get(), length};
    return {};
}

LinuxResult<void> PathWalk::walk(bool stop_before_last) {
    last = {};
    last_is_name = trailing_slash = false;
    for (;;) {
        while (!rest_.empty() && rest_.front() == '/')
            rest_.remove_prefix(1);
        if (rest_.empty())
            return {};
        const std::size_t end = std::min(rest_.find('/'), rest_.size());
        const std::string_view name = rest_.substr(0, end);
        std::string_view after = rest_.substr(end);
        const bool slash_follows = !after.empty();
        while (!after.empty() && after.front() == '/')
            after.remove_prefix(1);
        const bool is_last = after.empty();
        if (!here_.inode()->is_directory())
            return fail(Errno::ENOTDIR);
        const bool dots = name == "." || name == "..";
        if (is_last && stop_before_last) {
            TRY(check_permission(*here_.inode(), context_.who, permission::execute));
            last = name;
            last_is_name = !dots;
            trailing_slash = slash_follows;
            rest_ = after;
            parent = here_;
            return {};
        }
        rest_ = after;
        if (dots) {
            TRY(check_permission(*here_.inode(), context_.who, permission::execute));
            if (name.size() == 2)
                TRY(step_up());
        } else {
            Location found = TRY(child(here_, name));
            const bool follows = found.inode()->is_symlink() && (!is_last || slash_follows || (flags_ & walk_flag::follow) != 0);
            if (follows) {
                if (is_last && slash_follows)
                    rest_ = "."; // the target must be a directory
                TRY(follow(found));
                continue;
            }
            here_ = std::move(found);
        }
        if (is_last && slash_follows && !here_.inode()->is_directory())
            return fail(Errno::ENOTDIR);
    }
}

LinuxResult<Location> PathWalk::finish(const Location& start, std::string_view path) {
    TRY(begin(start, path));
    TRY(walk(false));
    return here_;
}

LinuxResult<void> PathWalk::to_parent(const Location& start, std::string_view path) {
    TRY(begin(start, path));
    parent = here_;
    return walk(true);
}

LinuxResult<Location> PathWalk::lookup_last() {
    here_ = parent;
    if (!last_is_name) {
        if (last == "..")
            TRY(step_up());
        return here_;
    }
    return child(parent, last);
}

LinuxResult<void> PathWalk::follow_last(const Location& link) {
    here_ = parent;
    if (trailing_slash)
        rest_ = ".";
    TRY(follow(link));
    parent = here_;
    if (rest_.empty()) { // a magic link: there is nothing left to walk
        last = {};
        last_is_name = false;
        return {};
    }
    return walk(true);
}

LinuxResult<Location> walk_path(const PathContext& context, const Location& start, std::string_view path, std::uint32_t flags) {
    PathWalk walk(context, flags);
    return walk.finish(start, path);
}

} // namespace personality
