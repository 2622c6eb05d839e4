// Opening, closing and duplicating descriptors.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/fs/file_locks.hpp"

#include <algorithm>

namespace personality {

namespace {

constexpr std::uint32_t valid_open_flags = 037777777;

CallResult open_file(Task& task, std::int32_t directory, std::uint64_t path_address, OpenRequest request) {
    [[clang::uninitialized]] PathArgument path;
    TRY(path.load(path_address));
    const bool close_on_exec = (request.flags & open_flag::close_on_exec) != 0;
    SandboxLock lock;
    if ((request.flags & open_flag::create) != 0 || (request.flags & open_flag::temporary) == open_flag::temporary)
        request.permissions &= ~umask_of(task);
    if ((request.flags & open_flag::path) == 0)
        request.flags |= open_flag::large_file;
    const PathContext context = path_context(task);
    base::Ref<File> file = TRY(open_path(context, TRY(path_start(task, directory, path.view())), path.view(), request));
    return install_file(task, std::move(file), close_on_exec);
}

struct OpenHow { // struct open_how
    std::uint64_t flags, mode, resolve;
};
constexpr std::uint64_t resolve_no_crossing = 1, resolve_no_magic = 2, resolve_no_symlinks = 4, resolve_beneath = 8, resolve_in_root = 16, resolve_cached = 32;

} // namespace

CallResult sys_open(Task& task, const CallArguments& arguments) {
    return open_file(task, at::current_directory, arguments[0], {arguments.u32(1) & valid_open_flags, arguments.u32(2) & mode::permissions, 0});
}

CallResult sys_openat(Task& task, const CallArguments& arguments) {
    return open_file(task, arguments.i32(0), arguments[1], {arguments.u32(2) & valid_open_flags, arguments.u32(3) & mode::permissions, 0});
}

CallResult sys_creat(Task& task, const CallArguments& arguments) {
    return open_file(task, at::current_directory, arguments[0],
                     {open_flag::write_only | open_flag::create | open_flag::truncate, arguments.u32(1) & mode::permissions, 0});
}

CallResult sys_openat2(Task& task, const CallArguments& arguments) {
    const std::uint64_t size = arguments[3];
    if (size < sizeof(OpenHow))
        return fail(Errno::EINVAL);
    if (size > abi::page_size)
        return fail(Errno::E2BIG);
    const OpenHow how = TRY(arguments.pointer<OpenHow>(2).read());
    for (std::uint64_t offset = sizeof how; offset < size; offset += 8) { // fields of later versions must be 0
        std::uint64_t rest = 0;
        TRY(copy_in(std::as_writable_bytes(std::span(&rest, 1)).first(std::min<std::uint64_t>(8, size - offset)), arguments[2] + offset));
        if (rest != 0)
            return fail(Errno::E2BIG);
    }
    const bool creates = (how.flags & open_flag::create) != 0 || (how.flags & open_flag::temporary) == open_flag::temporary;
    if ((how.flags & ~std::uint64_t{valid_open_flags}) != 0 || (how.resolve & ~std::uint64_t{63}) != 0 || (how.mode & ~std::uint64_t{mode::permissions}) != 0 ||
        (!creates && how.mode != 0))
        return fail(Errno::EINVAL);
    if ((how.resolve & (resolve_beneath | resolve_in_root)) == (resolve_beneath | resolve_in_root))
        return fail(Errno::EINVAL);
    if ((how.resolve & resolve_cached) != 0 && (creates || (how.flags & open_flag::truncate) != 0))
        return fail(Errno::EAGAIN);
    std::uint32_t walk = 0;
    walk |= (how.resolve & resolve_no_crossing) != 0 ? walk_flag::no_crossing : 0;
    walk |= (how.resolve & resolve_no_magic) != 0 ? walk_flag::no_magic_links : 0;
    walk |= (how.resolve & resolve_no_symlinks) != 0 ? walk_flag::no_symlinks : 0;
    walk |= (how.resolve & resolve_beneath) != 0 ? walk_flag::beneath : 0;
    walk |= (how.resolve & resolve_in_root) != 0 ? walk_flag::in_root : 0;
    return open_file(task, arguments.i32(0), arguments[1], {static_cast<std::uint32_t>(how.flags), static_cast<std::uint32_t>(how.mode), walk});
}

CallResult sys_close(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    base::Ref<File> file = TRY(files_of(task).close(arguments.i32(0)));
    file = nullptr; // under the lock: its destructor may wake others
    return std::uint64_t{0};
}

CallResult sys_close_range(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t unshare = 2, mark = 4;
    const std::uint32_t first = arguments.u32(0), last = arguments.u32(1), flags = arguments.u32(2);
    if ((flags & ~(unshare | mark)) != 0 || first > last)
        return fail(Errno::EINVAL);
    SandboxLock lock;
    files_of(task).close_range(first, last, (flags & mark) != 0);
    return std::uint64_t{0};
}

CallResult sys_dup(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    return install_file(task, TRY(file_of(task, arguments.i32(0))), false);
}

static CallResult duplicate_to(Task& task, std::int32_t from, std::int32_t to, bool close_on_exec) {
    base::Ref<File> file = TRY(file_of(task, from));
    TRY(files_of(task).replace(to, std::move(file), close_on_exec, descriptor_limit(task)));
    return static_cast<std::uint64_t>(to);
}

CallResult sys_dup2(Task& task, const CallArguments& arguments) {
    SandboxLock lock;
    if (arguments.i32(0) == arguments.i32(1)) {
        TRY(file_of(task, arguments.i32(0)));
        return static_cast<std::uint64_t>(arguments.i32(1));
    }
    return duplicate_to(task, arguments.i32(0), arguments.i32(1), false);
}

CallResult sys_dup3(Task& task, const CallArguments& arguments) {
    if ((arguments.u32(2) & ~open_flag::close_on_exec) != 0 || arguments.i32(0) == arguments.i32(1))
        return fail(Errno::EINVAL);
    SandboxLock lock;
    return duplicate_to(task, arguments.i32(0), arguments.i32(1), arguments.u32(2) != 0);
}

CallResult sys_flock(Task& task, const CallArguments& arguments) {
    constexpr std::uint32_t shared = 1, exclusive = 2, no_wait = 4, unlock = 8;
    const std::uint32_t operation = arguments.u32(1) & ~no_wait;
    SandboxLock lock;
    base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
    if (operation != shared && operation != exclusive && operation != unlock)
        return fail(Errno::EINVAL);
    if (file->inode() == nullptr)
        return std::uint64_t{0};
    FileLocks* locks = locks_of(*file->inode());
    if (locks == nullptr)
        return fail(Errno::ENOLCK);
    FileLock wanted;
    wanted.owner = file.get();
    wanted.kind = LockKind::whole_file;
    wanted.exclusive = operation == exclusive;
    TRY(locks->set(wanted, operation == unlock, (arguments.u32(1) & no_wait) == 0));
    return std::uint64_t{0};
}

} // namespace personality
