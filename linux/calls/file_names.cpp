// Making, removing, renaming; owners, permissions, times.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"

namespace personality {

namespace {

CallResult done(const LinuxResult<void>& result) {
    if (!result)
        return fail(result.error());
    return std::uint64_t{0};
}

CallResult make(Task& task, std::int32_t directory, std::uint64_t path_address, NewNode node) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    SandboxLock lock;
    if ((node.mode & mode::type_mask) != mode::symlink)
        node.mode &= ~umask_of(task);
    return done(make_node(path_context(task), TRY(path_start(task, directory, path.view())), path.view(), node));
}

CallResult make_directory(Task& task, std::int32_t directory, std::uint64_t path, std::uint32_t permissions) {
    return make(task, directory, path, {mode::directory | (permissions & (0777 | mode::sticky)), 0, 0});
}

CallResult make_special(Task& task, std::int32_t directory, std::uint64_t path, std::uint32_t wanted, std::uint32_t device) {
    std::uint32_t type = wanted & mode::type_mask;
    if (type == 0)
        type = mode::regular;
    if (type == mode::directory)
        return fail(Errno::EPERM);
    if (type == mode::symlink)
        return fail(Errno::EINVAL);
    const bool has_device = type == mode::character || type == mode::block;
    return make(task, directory, path, {type | (wanted & mode::permissions), 0, 0, has_device ? device : 0u});
}

CallResult remove(Task& task, std::int32_t directory, std::uint64_t path_address, bool is_directory) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    SandboxLock lock;
    const Location start = TRY(path_start(task, directory, path.view()));
    const PathContext context = path_context(task);
    return done(is_directory ? remove_directory(context, start, path.view()) : unlink_path(context, start, path.view()));
}

CallResult rename(Task& task, std::int32_t from_directory, std::uint64_t from_address, std::int32_t to_directory, std::uint64_t to_address,
                  std::uint32_t flags) {
    [[clang::uninitialized]] PathArgument from, to;
    TRY(from.load(from_address));
    TRY(to.load(to_address));
    SandboxLock lock;
    const Location from_start = TRY(path_start(task, from_directory, from.view()));
    const Location to_start = TRY(path_start(task, to_directory, to.view()));
    return done(rename_path(path_context(task), from_start, from.view(), to_start, to.view(), flags));
}

CallResult hard_link(Task& task, std::int32_t from_directory, std::uint64_t from_address, std::int32_t to_directory, std::uint64_t to_address,
                     std::uint32_t flags) {
    if ((flags & ~(at::symlink_follow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument from, to;
    TRY(from.load(from_address));
    TRY(to.load(to_address));
    SandboxLock lock;
    const std::uint32_t find = (flags & at::empty_path) | ((flags & at::symlink_follow) != 0 ? 0 : at::symlink_nofollow);
    const Location target = TRY(find_path(task, from_directory, from.view(), find));
    return done(link_path(path_context(task), target, TRY(path_start(task, to_directory, to.view())), to.view()));
}

CallResult symbolic_link(Task& task, std::uint64_t target_address, std::int32_t directory, std::uint64_t path_address) {
    [[clang::uninitialized]] PathArgument target;
    TRY(target.load(target_address));
    if (target.view().empty())
        return fail(Errno::ENOENT);
    return make(task, directory, path_address, {mode::symlink | 0777, 0, 0, 0, target.view()});
}

CallResult change_mode_at(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint32_t permissions, std::uint32_t flags) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    SandboxLock lock;
    const Location found = TRY(find_path(task, directory, path.view(), flags));
    if (found.inode()->is_symlink())
        return fail(Errno::EOPNOTSUPP);
    return done(change_mode(path_context(task).who, found, permissions & mode::permissions));
}

CallResult change_owner_at(Task& task, std::int32_t directory, std::uint64_t path_address, std::uint32_t user, std::uint32_t group, std::uint32_t flags) {
    if ((flags & ~(at::symlink_nofollow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    SandboxLock lock;
    return done(change_owner(path_context(task).who, TRY(find_path(task, directory, path.view(), flags)), user, group));
}

LinuxResult<Location> location_of(Task& task, std::int32_t descriptor) {
    base::Ref<File> file = TRY(working_file(task, descriptor));
    if (file->inode() == nullptr)
        return fail(Errno::EINVAL);
    return static_cast<LocatedFile&>(*file).location();
}

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};
constexpr std::int64_t time_now = 0x3fffffff, time_omit = 0x3ffffffe; // UTIME_NOW, UTIME_OMIT

// `times`: null means now. A null path is the descriptor itself.
CallResult set_times(Task& task, std::int32_t directory, std::uint64_t path_address, const TimeSpec* times, std::uint32_t flags) {
    if ((flags & ~(at::symlink_nofollow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    TimeChange change;
    bool now = times == nullptr;
    change.accessed = change.modified = file_time_now();
    change.set = 3;
    if (times != nullptr) {
        now = times[0].nanoseconds == time_now && times[1].nanoseconds == time_now;
        Timestamp* fields[] = {&change.accessed, &change.modified};
        for (int i = 0; i < 2; ++i) {
            if (times[i].nanoseconds == time_omit)
                change.set &= ~(1u << i);
            else if (times[i].nanoseconds != time_now) {
                if (times[i].nanoseconds < 0 || times[i].nanoseconds > 999'999'999)
                    return fail(Errno::EINVAL);
                *fields[i] = {times[i].seconds, static_cast<std::uint32_t>(times[i].nanoseconds)};
            }
        }
    }
    [[clang::uninitialized]] PathArgument path;
    if (path_address != 0)
        TRY(path.load(path_address));
    else if (directory == at::current_directory)
        return fail(Errno::EFAULT);
    SandboxLock lock;
    const Location found = path_address != 0 ? TRY(find_path(task, directory, path.view(), flags)) : TRY(location_of(task, directory));
    return done(change_times(path_context(task).who, found, change, now));
}

} // namespace

CallResult sys_mkdir(Task& task, const CallArguments& a) { return make_directory(task, at::current_directory, a[0], a.u32(1)); }
CallResult sys_mkdirat(Task& task, const CallArguments& a) { return make_directory(task, a.i32(0), a[1], a.u32(2)); }
CallResult sys_mknod(Task& task, const CallArguments& a) { return make_special(task, at::current_directory, a[0], a.u32(1), a.u32(2)); }
CallResult sys_mknodat(Task& task, const CallArguments& a) { return make_special(task, a.i32(0), a[1], a.u32(2), a.u32(3)); }
CallResult sys_rmdir(Task& task, const CallArguments& a) { return remove(task, at::current_directory, a[0], true); }
CallResult sys_unlink(Task& task, const CallArguments& a) { return remove(task, at::current_directory, a[0], false); }
CallResult sys_unlinkat(Task& task, const CallArguments& a) {
    if ((a.u32(2) & ~at::remove_directory) != 0)
        return fail(Errno::EINVAL);
    return remove(task, a.i32(0), a[1], a.u32(2) != 0);
}
CallResult sys_rename(Task& task, const CallArguments& a) { return rename(task, at::current_directory, a[0], at::current_directory, a[1], 0); }
CallResult sys_renameat(Task& task, const CallArguments& a) { return rename(task, a.i32(0), a[1], a.i32(2), a[3], 0); }
CallResult sys_renameat2(Task& task, const CallArguments& a) { return rename(task, a.i32(0), a[1], a.i32(2), a[3], a.u32(4)); }
CallResult sys_link(Task& task, const CallArguments& a) { return hard_link(task, at::current_directory, a[0], at::current_directory, a[1], 0); }
CallResult sys_linkat(Task& task, const CallArguments& a) { return hard_link(task, a.i32(0), a[1], a.i32(2), a[3], a.u32(4)); }
CallResult sys_symlink(Task& task, const CallArguments& a) { return symbolic_link(task, a[0], at::current_directory, a[1]); }
CallResult sys_symlinkat(Task& task, const CallArguments& a) { return symbolic_link(task, a[0], a.i32(1), a[2]); }
CallResult sys_chmod(Task& task, const CallArguments& a) { return change_mode_at(task, at::current_directory, a[0], a.u32(1), 0); }
CallResult sys_fchmodat(Task& task, const CallArguments& a) { return change_mode_at(task, a.i32(0), a[1], a.u32(2), 0); }
CallResult sys_fchmodat2(Task& task, const CallArguments& a) {
    if ((a.u32(3) & ~(at::symlink_nofollow | at::empty_path)) != 0)
        return fail(Errno::EINVAL);
    return change_mode_at(task, a.i32(0), a[1], a.u32(2), a.u32(3));
}
CallResult sys_fchmod(Task& task, const CallArguments& a) {
    SandboxLock lock;
    return done(change_mode(path_context(task).who, TRY(location_of(task, a.i32(0))), a.u32(1) & mode::permissions));
}
CallResult sys_chown(Task& task, const CallArguments& a) { return change_owner_at(task, at::current_directory, a[0], a.u32(1), a.u32(2), 0); }
CallResult sys_lchown(Task& task, const CallArguments& a) {
    return change_owner_at(task, at::current_directory, a[0], a.u32(1), a.u32(2), at::symlink_nofollow);
}
CallResult sys_fchownat(Task& task, const CallArguments& a) { return change_owner_at(task, a.i32(0), a[1], a.u32(2), a.u32(3), a.u32(4)); }
CallResult sys_fchown(Task& task, const CallArguments& a) {
    SandboxLock lock;
    return done(change_owner(path_context(task).who, TRY(location_of(task, a.i32(0))), a.u32(1), a.u32(2)));
}

CallResult sys_utimensat(Task& task, const CallArguments& a) {
    TimeSpec times[2];
    if (a[2] != 0)
        TRY(a.pointer<TimeSpec>(2).read(times));
    return set_times(task, a.i32(0), a[1], a[2] != 0 ? times : nullptr, a.u32(3));
}

// struct timeval and struct utimbuf, as times with nanoseconds.
static CallResult set_old_times(Task& task, std::int32_t directory, std::uint64_t path, UserPtr<TimeSpec> pointer) {
    if (!pointer)
        return set_times(task, directory, path, nullptr, 0);
    TimeSpec times[2];
    TRY(pointer.read(times));
    for (TimeSpec& time : times) {
        if (time.nanoseconds < 0 || time.nanoseconds >= 1'000'000)
            return fail(Errno::EINVAL);
        time.nanoseconds *= 1000;
    }
    return set_times(task, directory, path, times, 0);
}

CallResult sys_utimes(Task& task, const CallArguments& a) { return set_old_times(task, at::current_directory, a[0], a.pointer<TimeSpec>(1)); }
CallResult sys_futimesat(Task& task, const CallArguments& a) { return set_old_times(task, a.i32(0), a[1], a.pointer<TimeSpec>(2)); }
CallResult sys_utime(Task& task, const CallArguments& a) {
    if (a[1] == 0)
        return set_times(task, at::current_directory, a[0], nullptr, 0);
    std::int64_t seconds[2];
    TRY(a.pointer<std::int64_t>(1).read(seconds));
    const TimeSpec times[2] = {{seconds[0], 0}, {seconds[1], 0}};
    return set_times(task, at::current_directory, a[0], times, 0);
}

CallResult sys_truncate(Task& task, const CallArguments& a) {
    if (a.offset(1) < 0)
        return fail(Errno::EINVAL);
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(a[0]));
    SandboxLock lock;
    return done(truncate_location(path_context(task), TRY(find_path(task, at::current_directory, path.view(), 0)), a[1]));
}

} // namespace personality
