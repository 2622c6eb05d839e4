#include "linux/fs/mount.hpp"

#include <cstring>
#include <new>

namespace personality {

MountTable::~MountTable() {
    while (Mount* mount = mounts_.pop_front())
        mount->release();
}

LinuxResult<base::Ref<Mount>> MountTable::mount(FileSystem& file_system, const Location& point, std::uint32_t flags) {
    if (point && !point.inode()->is_directory() && file_system.root()->inode()->is_directory())
        return fail(Errno::ENOTDIR);
    auto* mount = new (std::nothrow) Mount(file_system, point, flags);
    if (mount == nullptr)
        return fail(Errno::ENOMEM);
    mount->identifier = ++last_identifier_;
    mounts_.push_back(*mount);
    if (point)
        ++point.dentry->mounts;
    return base::Ref<Mount>(*mount);
}

Location MountTable::root() const {
    for (Mount& mount : mounts_)
        if (!mount.point)
            return {base::Ref<Mount>(mount), mount.root};
    return {};
}

Location MountTable::descend(Location location) {
    while (location.dentry->mounts != 0) {
        Mount* found = nullptr;
        for (Mount& mount : mounts_)
            if (mount.point == location)
                found = &mount; // the last one lies on top
        if (found == nullptr)
            break;
        location = {base::Ref<Mount>(*found), found->root};
    }
    return location;
}

LinuxResult<std::string_view> path_text(const Location& root, const Location& location, std::span<char> to, bool mark_deleted) {
    std::size_t start = to.size(); // the text grows from the back
    auto prepend = [&](std::string_view text) {
        if (text.size() > start)
            return false;
        start -= text.size();
        std::memcpy(to.data() + start, text.data(), text.size());
        return true;
    };
    bool fits = true;
    if (mark_deleted && location.dentry->unlinked())
        fits = prepend(" (deleted)");
    const std::size_t end = start;
    Location here = location;
    bool reachable = true;
    while (fits && !(here == root)) {
        if (here.dentry->is_root()) {
            if (!here.mount || !here.mount->point) {
                reachable = root.dentry == nullptr || here == root;
                break;
            }
            here = Location(here.mount->point);
            continue;
        }
        fits = prepend(here.dentry->name()) && prepend("/");
        here.dentry = base::Ref<Dentry>(here.dentry->parent());
    }
    if (fits && start == end)
        fits = prepend("/");
    if (fits && !reachable)
        fits = prepend("(unreachable)");
    if (!fits)
        return fail(Errno::ENAMETOOLONG);
    return std::string_view(to.data() + start, to.size() - start);
}

} // namespace personality
