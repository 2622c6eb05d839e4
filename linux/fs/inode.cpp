#include "linux/fs/inode.hpp"

#include "linux/fs/dentry.hpp"
#include "linux/fs/file_locks.hpp"
#include "linux/fs/mount.hpp"

namespace personality {

Inode::Inode(FileSystem& file_system, std::uint64_t number, std::uint32_t mode) : mode_(mode), file_system_(file_system), number_(number) {
    accessed_ = modified_ = changed_ = created_ = file_time_now();
}

Inode::~Inode() { delete locks; }

void Inode::stat(KernelStat& stat) {
    stat.device = file_system_.device();
    stat.inode = number_;
    stat.mode = mode_;
    stat.links = links_;
    stat.user = user_;
    stat.group = group_;
    stat.special_device = special_device();
    stat.size = size();
    stat.blocks = (stat.size + 511) / 512;
    stat.accessed = accessed_;
    stat.modified = modified_;
    stat.changed = changed_;
    stat.created = created_;
}

LinuxResult<base::Ref<Dentry>> Inode::lookup(Dentry&, std::string_view) { return fail(is_directory() ? Errno::ENOENT : Errno::ENOTDIR); }
LinuxResult<base::Ref<Dentry>> Inode::make(Dentry&, std::string_view, const NewNode&) { return fail(Errno::EPERM); }
LinuxResult<void> Inode::link(Dentry&, std::string_view, Inode&) { return fail(Errno::EPERM); }
LinuxResult<base::Ref<Inode>> Inode::make_unnamed(const NewNode&) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<void> Inode::unlink(Dentry&, Dentry&) { return fail(Errno::EPERM); }
LinuxResult<void> Inode::remove_directory(Dentry&, Dentry&) { return fail(Errno::EPERM); }
LinuxResult<void> Inode::rename(Dentry&, Dentry&, Dentry&, std::string_view, Dentry*, bool) { return fail(Errno::EPERM); }
LinuxResult<void> Inode::list(Dentry&, std::uint64_t, DirectorySink&) { return fail(Errno::ENOTDIR); }
LinuxResult<std::size_t> Inode::read_at(std::uint64_t, std::span<std::byte>) { return fail(is_directory() ? Errno::EISDIR : Errno::EINVAL); }
LinuxResult<std::size_t> Inode::write_at(std::uint64_t, std::span<const std::byte>) { return fail(Errno::EINVAL); }
LinuxResult<void> Inode::truncate(std::uint64_t) { return fail(is_directory() ? Errno::EISDIR : Errno::EINVAL); }
LinuxResult<void> Inode::allocate(std::uint64_t, std::uint64_t, bool, bool) { return fail(Errno::EOPNOTSUPP); }
LinuxResult<BackingMemory> Inode::backing(std::uint64_t, std::uint64_t, bool) { return fail(Errno::ENODEV); }
LinuxResult<std::size_t> Inode::read_link(std::span<char>) { return fail(Errno::EINVAL); }
LinuxResult<bool> Inode::magic_link(Location&) { return false; }
LinuxResult<base::Ref<File>> Inode::open_special(const Location&, std::uint32_t) { return base::Ref<File>(); }

LinuxResult<void> Inode::set_mode(std::uint32_t permissions) {
    mode_ = (mode_ & mode::type_mask) | (permissions & mode::permissions);
    touch_changed();
    return {};
}

LinuxResult<void> Inode::set_owner(std::uint32_t user, std::uint32_t group) {
    if (user != UINT32_MAX)
        user_ = user;
    if (group != UINT32_MAX)
        group_ = group;
    touch_changed();
    return {};
}

LinuxResult<void> Inode::set_times(const TimeChange& change) {
    if ((change.set & 1) != 0)
        accessed_ = change.accessed;
    if ((change.set & 2) != 0)
        modified_ = change.modified;
    touch_changed();
    return {};
}

void Inode::touch_modified() { modified_ = changed_ = file_time_now(); }
void Inode::touch_changed() { changed_ = file_time_now(); }

// Device numbers of file systems without a device: major 0, minor counting up, as Linux' anonymous ones.
static std::uint32_t last_device = 20;
FileSystem::FileSystem() : device_(make_device(0, ++last_device)) {}

Dentry::Dentry(base::Ref<Dentry> parent, Name name, base::Ref<Inode> inode)
    : parent_(std::move(parent)), name_(std::move(name)), inode_(std::move(inode)) {}
Dentry::~Dentry() = default;
Location::Location() = default;
Location::Location(base::Ref<Mount> mount, base::Ref<Dentry> dentry) : mount(std::move(mount)), dentry(std::move(dentry)) {}
Location::Location(const Location& other) = default;
Location::Location(Location&& other) noexcept = default;
Location& Location::operator=(Location other) noexcept {
    mount.swap(other.mount);
    dentry.swap(other.dentry);
    return *this;
}
Location::~Location() = default;
void Dentry::move(base::Ref<Dentry> parent, Name name) {
    parent_ = std::move(parent);
    name_ = std::move(name);
}

} // namespace personality
