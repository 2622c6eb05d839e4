// What files are: stat, statx, statfs, access, readlink.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"

#include <algorithm>

namespace personality {

namespace {

struct Stat { // struct stat of x86_64
    std::uint64_t device, inode, links;
    std::uint32_t mode, user, group, padding;
    std::uint64_t special_device;
    std::int64_t size, block_size, blocks;
    std::int64_t accessed[2], modified[2], changed[2];
    std::int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);

struct StatxTime {
    std::int64_t seconds;
    std::uint32_t nanoseconds;
    std::int32_t reserved;
};
struct Statx { // struct statx
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::uint32_t links, user, group;
    std::uint16_t mode, spare0;
    std::uint64_t inode, size, blocks, attributes_mask;
    StatxTime accessed, created, changed, modified;
    std::uint32_t special_major, special_minor, major, minor;
    std::uint64_t mount;
    std::uint32_t direct_memory, direct_offset;
    std::uint64_t spare[12];
};
static_assert(sizeof(Statx) == 256);
constexpr std::uint32_t statx_basic = 0x7ff, statx_created = 0x800, statx_mount = 0x1000, statx_reserved = 0x80000000;

struct StatFs { // struct statfs of x86_64
    std::int64_t type, block_size;
    std::uint64_t blocks, free_blocks, available_blocks, files, free_files;
    std::int32_t identifier[2];
    std::int64_t name_length, fragment_size, flags, spare[4];
};
static_assert(sizeof(StatFs) == 120);

// The file's own answer for descriptors, the inode's for paths.
LinuxResult<KernelStat> stat_at(Task& task, std::int32_t directory, std::string_view path, std::uint32_t at_flags, std::uint32_t* mount = nullptr) {
    KernelStat stat;
    if (path.empty() && (at_flags & at::empty_path) != 0 && directory != at::current_directory) {
        base::Ref<File> file = TRY(file_of(task, directory));
        TRY(file->stat(stat));
        return stat;
    }
    const Location found = TRY(find_path(task, directory, path, at_flags));
    found.inode()->stat(stat);
    if (mount != nullptr && found.mount)
        *mount = found.mount->identifier;
    return stat;
}

CallResult give(std::uint64_t address, const KernelStat& from) {
    Stat stat{};
    stat.device = from.device;
    stat.inode = from.inode;
    stat.links = from.links;
    stat.mode = from.mode;
    stat.user = from.user;
    stat.group = from.group;
    stat.special_device = from.special_device;
    stat.size = static_cast<std::int64_t>(from.size);
    stat.block_size = from.block_size;
    stat.blocks = static_cast<std::int64_t>(from.blocks);
    const Timestamp* times[] = {&from.accessed, &from.modified, &from.changed};
    std::int64_t* fields[] = {stat.accessed, stat.modified, stat.changed};
    for (int i = 0; i < 3; ++i) {
        fields[i][0] = times[i]->seconds;
        fields[i][1] = times[i]->nanoseconds;
    }
    TRY(UserPtr<Stat>(address).write(stat));
    return std::uint64_t{0};
}

CallResult stat_path(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint64_t to, std::uint32_t at_flags) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    KernelStat stat;
    {
        SandboxLock lock;
        stat = TRY(stat_at(task, directory, path.view(), at_flags));
    }
    return give(to, stat);
}

} // namespace

CallResult sys_stat(Task& task, const CallArguments& arguments) {
    return stat_path(task, at::current_directory, arguments[0], arguments[1], 0);
}
CallResult sys_lstat(Task& task, const CallArguments& arguments) {
    return stat_path(task, at::current_directory, arguments[0], arguments[1], at::symlink_nofollow);
}
CallResult sys_newfstatat(Task& task, const CallArguments& arguments) {
    if ((arguments.u32(3) & ~(at::symlink_nofollow | at::empty_path | at::no_automount)) != 0)
        return fail(Errno::EINVAL);
    return stat_path(task, arguments.i32(0), arguments[1], arguments[2], arguments.u32(3));
}
CallResult sys_fstat(Task& task, const CallArguments& arguments) {
    KernelStat stat;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
        TRY(file->stat(stat));
    }
    return give(arguments[1], stat);
}

CallResult sys_statx(Task& task, const CallArguments& arguments) {
    const std::uint32_t flags = arguments.u32(2);
    if ((arguments.u32(3) & statx_reserved) != 0 || (flags & at::statx_sync_type) == at::statx_sync_type ||
        (flags & ~(at::symlink_nofollow | at::empty_path | at::no_automount | at::statx_sync_type)) != 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(arguments[1]));
    KernelStat from;
    std::uint32_t mount = 0;
    {
        SandboxLock lock;
        from = TRY(stat_at(task, arguments.i32(0), path.view(), flags, &mount));
    }
    Statx to{};
    to.mask = statx_basic | statx_created | (mount != 0 ? statx_mount : 0);
    to.block_size = from.block_size;
    to.links = from.links;
    to.user = from.user;
    to.group = from.group;
    to.mode = static_cast<std::uint16_t>(from.mode);
    to.inode = from.inode;
    to.size = from.size;
    to.blocks = from.blocks;
    to.accessed = {from.accessed.seconds, from.accessed.nanoseconds, 0};
    to.created = {from.created.seconds, from.created.nanoseconds, 0};
    to.changed = {from.changed.seconds, from.changed.nanoseconds, 0};
    to.modified = {from.modified.seconds, from.modified.nanoseconds, 0};
    to.special_major = device_major(from.special_device);
    to.special_minor = device_minor(from.special_device);
    to.major = device_major(from.device);
    to.minor = device_minor(from.device);
    to.mount = mount;
    TRY(arguments.pointer<Statx>(4).write(to));
    return std::uint64_t{0};
}

namespace {
CallResult give_statistics(std::uint64_t address, FileSystem& file_system, std::uint32_t mount_flags) {
    FileSystemStat from;
    {
        SandboxLock lock;
        file_system.statistics(from);
    }
    StatFs to{};
    to.type = static_cast<std::int64_t>(from.type);
    to.block_size = to.fragment_size = from.block_size;
    to.blocks = from.blocks;
    to.free_blocks = to.available_blocks = from.free_blocks;
    to.files = from.files;
    to.free_files = from.free_files;
    to.identifier[0] = static_cast<std::int32_t>(file_system.device());
    to.name_length = name_max;
    to.flags = 0x20 | (mount_flags & 15); // ST_VALID; ST_RDONLY, NOSUID, NODEV, NOEXEC have the bits of the mount flags
    TRY(UserPtr<StatFs>(address).write(to));
    return std::uint64_t{0};
}
} // namespace

CallResult sys_statfs(Task& task, const CallArguments& arguments) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(arguments[0]));
    FileSystem* file_system = nullptr; // file systems live as long as the sandbox
    std::uint32_t flags = 0;
    {
        SandboxLock lock;
        const Location found = TRY(find_path(task, at::current_directory, path.view(), 0));
        file_system = &found.inode()->file_system();
        flags = found.mount ? found.mount->flags : 0;
    }
    return give_statistics(arguments[1], *file_system, flags);
}

CallResult sys_fstatfs(Task& task, const CallArguments& arguments) {
    FileSystem* file_system = nullptr;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(file_of(task, arguments.i32(0)));
        if (file->inode() == nullptr)
            return fail(Errno::ENOSYS); // pipefs, sockfs: nobody has been seen to ask
        file_system = &file->inode()->file_system();
    }
    return give_statistics(arguments[1], *file_system, 0);
}

namespace {
CallResult check_access(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint32_t wanted, std::uint32_t flags) {
    if ((wanted & ~7u) != 0 || (flags & ~(at::effective_access | at::symlink_nofollow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    SandboxLock lock;
    const Location found = TRY(find_path(task, directory, path.view(), flags));
    if (wanted == 0)
        return std::uint64_t{0};
    if ((wanted & permission::write) != 0 && (found.inode()->is_regular() || found.inode()->is_directory()))
        TRY(check_writable(found));
    if ((wanted & permission::execute) != 0 && found.inode()->is_regular() && found.mount && (found.mount->flags & mount_flag::no_execute) != 0)
        return fail(Errno::EACCES);
    TRY(check_permission(*found.inode(), (flags & at::effective_access) != 0 ? path_context(task).who : real_credentials(task), wanted));
    return std::uint64_t{0};
}

CallResult read_link(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint64_t to, std::int32_t size) {
    if (size <= 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    char target[path_max];
    std::size_t length = 0;
    {
        SandboxLock lock;
        const Location found = TRY(find_path(task, directory, path.view(), at::symlink_nofollow | (directory != at::current_directory ? at::empty_path : 0)));
        if (!found.inode()->is_symlink())
            return fail(path.view().empty() ? Errno::ENOENT : Errno::EINVAL);
        length = TRY(found.inode()->read_link(std::span(target).first(std::min<std::size_t>(sizeof target, static_cast<std::size_t>(size)))));
    }
    TRY(copy_out(to, std::as_bytes(std::span(target).first(length))));
    return length;
}
} // namespace

CallResult sys_access(Task& task, const CallArguments& arguments) { return check_access(task, at::current_directory, arguments[0], arguments.u32(1), 0); }
CallResult sys_faccessat(Task& task, const CallArguments& arguments) { return check_access(task, arguments.i32(0), arguments[1], arguments.u32(2), 0); }
CallResult sys_faccessat2(Task& task, const CallArguments& arguments) {
    return check_access(task, arguments.i32(0), arguments[1], arguments.u32(2), arguments.u32(3));
}
CallResult sys_readlink(Task& task, const CallArguments& arguments) {
    return read_link(task, at::current_directory, arguments[0], arguments[1], arguments.i32(2));
}
CallResult sys_readlinkat(Task& task, const CallArguments& arguments) {
    return read_link(task, arguments.i32(0), arguments[1], arguments[2], arguments.i32(3));
}

} // namespace personality
