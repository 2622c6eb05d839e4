// fcntl.
#include "linux/calls/file_support.hpp"
#include "linux/calls/table.hpp"
#include "linux/fs/file_locks.hpp"
#include "linux/ipc/pipe.hpp"
#include "linux/signal/signal_driven.hpp"

namespace personality {

namespace {

enum Command : std::uint32_t {
    duplicate = 0, get_descriptor_flags = 1, set_descriptor_flags = 2, get_flags = 3, set_flags = 4, get_lock = 5, set_lock = 6, set_lock_wait = 7,
    set_owner = 8, get_owner = 9, set_signal = 10, get_signal = 11, set_owner_extended = 15, get_owner_extended = 16, description_get_lock = 36, description_set_lock = 37, description_set_lock_wait = 38,
    duplicate_close_on_exec = 1030, set_pipe_size = 1031, get_pipe_size = 1032, add_seals = 1033, get_seals = 1034,
};

struct Flock { // struct flock of x86_64
    std::int16_t type, whence;
    std::int32_t padding;
    std::int64_t start, length;
    std::int32_t process, padding2;
};

struct Owner { // struct f_owner_ex
    std::int32_t type, id;
};
constexpr std::int32_t owner_thread = 0, owner_process = 1, owner_group = 2;

constexpr std::int16_t read_lock = 0, write_lock = 1, unlock = 2;

LinuxResult<LockRange> range_of(File& file, const Flock& lock) {
    std::int64_t base = 0;
    if (lock.whence == seek_current)
        base = static_cast<std::int64_t>(file.position);
    else if (lock.whence == seek_end)
        base = static_cast<std::int64_t>(file.inode()->size());
    else if (lock.whence != seek_set)
        return fail(Errno::EINVAL);
    std::int64_t start = 0, end = 0;
    if (__builtin_add_overflow(base, lock.start, &start))
        return fail(Errno::EOVERFLOW);
    if (lock.length < 0) {
        end = start - 1;
        if (__builtin_add_overflow(start, lock.length, &start))
            return fail(Errno::EOVERFLOW);
    } else if (lock.length == 0) {
        end = INT64_MAX;
    } else if (__builtin_add_overflow(start, lock.length - 1, &end)) {
        return fail(Errno::EOVERFLOW);
    }
    if (start < 0)
        return fail(Errno::EINVAL);
    return LockRange{static_cast<std::uint64_t>(start), end == INT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(end)};
}

CallResult lock_file(Task& task, const CallArguments& arguments, std::uint32_t command) {
    const UserPtr<Flock> pointer = arguments.pointer<Flock>(2);
    Flock asked = TRY(pointer.read());
    const bool of_description = command >= description_get_lock;
    const bool asks = command == get_lock || command == description_get_lock;
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
        if (of_description && asked.process != 0)
            return fail(Errno::EINVAL);
        if (asked.type != read_lock && asked.type != write_lock && (asked.type != unlock || asks))
            return fail(Errno::EINVAL);
        if (file->inode() == nullptr)
            return fail(Errno::EBADF);
        const std::uint32_t access = file->flags & open_flag::access_mode;
        if (!asks && ((asked.type == read_lock && access == open_flag::write_only) || (asked.type == write_lock && access == open_flag::read_only)))
            return fail(Errno::EBADF);
        FileLocks* locks = locks_of(*file->inode());
        if (locks == nullptr)
            return fail(Errno::ENOLCK);
        FileLock wanted;
        wanted.range = TRY(range_of(*file, asked));
        wanted.owner = of_description ? static_cast<const void*>(file.get()) : lock_owner(task);
        wanted.process = of_description ? -1 : process_number(task);
        wanted.exclusive = asked.type == write_lock;
        if (!asks) {
            TRY(locks->set(wanted, asked.type == unlock, command == set_lock_wait || command == description_set_lock_wait));
            return std::uint64_t{0};
        }
        const FileLock* held = locks->conflict(wanted);
        if (held == nullptr) {
            asked.type = unlock;
        } else {
            asked.type = held->exclusive ? write_lock : read_lock;
            asked.whence = seek_set;
            asked.start = static_cast<std::int64_t>(held->range.start);
            asked.length = held->range.end == UINT64_MAX ? 0 : static_cast<std::int64_t>(held->range.end - held->range.start + 1);
            asked.process = held->process;
        }
    }
    TRY(pointer.write(asked));
    return std::uint64_t{0};
}

// F_SETOWN_EX and F_GETOWN_EX: who gets the signals of O_ASYNC. Single threads are not told apart from their process.
CallResult owner_extended(Task& task, const CallArguments& arguments, std::uint32_t command) {
    Owner owner{};
    if (command == set_owner_extended)
        owner = TRY(arguments.pointer<Owner>(2).read());
    {
        SandboxLock lock;
        base::Ref<File> file = TRY(working_file(task, arguments.i32(0)));
        if (command == set_owner_extended) {
            if (owner.type < owner_thread || owner.type > owner_group || owner.id < 0)
                return fail(Errno::EINVAL);
            TRY((*TRY(SignalDriven::of(*file))).set_owner(task, owner.type == owner_group ? -owner.id : owner.id));
            return std::uint64_t{0};
        }
        const SignalDriven* const driven = SignalDriven::find(*file);
        const std::int32_t id = driven != nullptr ? driven->owner() : 0;
        owner = id < 0 ? Owner{owner_group, -id} : Owner{id == 0 ? owner_thread : owner_process, id};
    }
    TRY(arguments.pointer<Owner>(2).write(owner));
    return std::uint64_t{0};
}

} // namespace

CallResult sys_fcntl(Task& task, const CallArguments& arguments) {
    const std::uint32_t command = arguments.u32(1);
    switch (command) {
    case get_lock: case set_lock: case set_lock_wait: case description_get_lock: case description_set_lock: case description_set_lock_wait:
        return lock_file(task, arguments, command);
    case set_owner_extended: case get_owner_extended:
        return owner_extended(task, arguments, command);
    default:
        break;
    }
    SandboxLock lock;
    const std::int32_t descriptor = arguments.i32(0);
    base::Ref<File> file = TRY(file_of(task, descriptor));
    FdTable& files = files_of(task);
    switch (command) { // what O_PATH descriptors can do too
    case duplicate:
    case duplicate_close_on_exec:
        return static_cast<std::uint64_t>(TRY(files.install(std::move(file), command == duplicate_close_on_exec, descriptor_limit(task), arguments.i32(2))));
    case get_descriptor_flags:
        return std::uint64_t{TRY(files.close_on_exec(descriptor))};
    case set_descriptor_flags:
        TRY(files.set_close_on_exec(descriptor, (arguments.u32(2) & 1) != 0));
        return std::uint64_t{0};
    case get_flags:
        return std::uint64_t{file->flags};
    default:
        break;
    }
    if ((file->flags & open_flag::path) != 0)
        return fail(Errno::EBADF);
    switch (command) {
    case set_flags: {
        const std::uint32_t flags = (file->flags & ~open_flag::settable) | (arguments.u32(2) & open_flag::settable);
        if (((flags ^ file->flags) & open_flag::async) != 0)
            TRY(drive_signals(*file, (flags & open_flag::async) != 0, descriptor));
        file->flags = flags;
        return std::uint64_t{0};
    }
    case set_owner:
        TRY((*TRY(SignalDriven::of(*file))).set_owner(task, arguments.i32(2)));
        return std::uint64_t{0};
    case set_signal:
        TRY((*TRY(SignalDriven::of(*file))).set_signal(arguments.i32(2)));
        return std::uint64_t{0};
    case get_owner:
    case get_signal: {
        const SignalDriven* const driven = SignalDriven::find(*file);
        if (driven == nullptr)
            return std::uint64_t{0};
        return static_cast<std::uint64_t>(std::int64_t{command == get_owner ? driven->owner() : driven->signal()});
    }
    case set_pipe_size:
    case get_pipe_size: {
        Pipe* pipe = PipeFile::pipe_of(*file);
        if (pipe == nullptr)
            return fail(Errno::EBADF);
        if (command == get_pipe_size)
            return std::uint64_t{pipe->capacity()};
        return std::uint64_t{TRY(pipe->set_capacity(arguments.u32(2)))};
    }
    case add_seals:
    case get_seals: {
        if (file->inode() == nullptr)
            return fail(Errno::EINVAL);
        if (command == get_seals)
            return std::uint64_t{TRY(file->inode()->seals())};
        if ((file->flags & open_flag::access_mode) == open_flag::read_only)
            return fail(Errno::EPERM);
        TRY(file->inode()->add_seals(arguments.u32(2)));
        return std::uint64_t{0};
    }
    default:
        return fail(Errno::EINVAL);
    }
}

} // namespace personality
